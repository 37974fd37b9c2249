//go:build ignore

// The kernel's own account of resets, of packets that it dropped and of how long
// packets waited for a process. Everything is filtered here by watched ports and
// network namespaces; what is frequent is counted here. Nothing is pinned: when the
// process that loaded the programs ends, however it ends, they are gone.

#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char __license[] SEC("license") = "Dual MIT/GPL";

#define AF_INET 2
#define AF_INET6 10
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define TCP_TIME_WAIT 6
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12
#define NF_VERDICT_MASK 0xff

// Frames of the kernel's stack that are looked at. The innermost are the program's
// own and its tracepoint's; there is one more of these as soon as a second reader,
// of whatever tool, hangs on the same tracepoint, and one for each function with a
// trampoline.
#define STACK 20
#define CALLERS 6 // of the place where a packet was dropped
#define NAME 24

// What this kernel has, set by the loader from its type information.
volatile const __u8 all_ports = 1;
volatile const __u32 per_second = 5000; // resets of a kind that are told whole
volatile const __u8 all_namespaces = 1;
volatile const __u8 reset_has_reason;   // tcp_send_reset tells why
volatile const __u8 reset_without_sock; // tcp_send_reset also fires without a socket
volatile const __u8 drop_has_reason;    // kfree_skb tells why
volatile const __u8 drop_has_sock;      // kfree_skb tells the receiving socket
volatile const __u8 reject_has_sock;    // nf_send_reset(net, sk, skb, hook), else (net, skb, hook)
volatile const __u8 table_first;        // ipt_do_table(table, skb, state), else (skb, state, table)
volatile const __u8 has_storage;        // sockets can be given owners
volatile const __u8 accept_has_err;     // inet_csk_accept(sk, flags, err, kern), else (sk, arg)
volatile const __u32 reason_netfilter;  // numbers of enum skb_drop_reason; 0: this kernel has none
volatile const __u32 reason_overflow;
volatile const __u64 netfilter_from, netfilter_to; // the function that drops for netfilter, where no reason tells; 0: not known
volatile const __u64 usual_reasons[4];  // bits of reasons for which packets are dropped in healthy connections
volatile const __u32 pid_namespace;     // whose numbers processes get; 0: the initial one's
volatile const __u64 port_bits[1024];

enum { SENT, RECEIVED };

struct event {
	__u64 at, sock, cookie, cgroup;
	__u64 stack[STACK];
	__u32 kind, netns, reason, frames;
	__u32 pid, tid, owner_pid, owner_tid;
	__u16 family, local_port, remote_port;
	__u8 state, answer, reject, hook, pf, tcp_flags; // tcp_flags: of the packet that is answered
	__u8 local[16], remote[16];
	char comm[16], owner_comm[16];
	char table[NAME], chain[NAME];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

// Resets for which the ring had no room, without the client's port.
struct folded_key {
	__u32 kind, netns, reason;
	__u16 family, local_port, remote_port;
	__u8 state, answer, reject, unused;
	__u8 local[16], remote[16];
	__u16 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct folded_key);
	__type(value, __u64);
} folded SEC(".maps");

// How many resets of each kind there were in this second. Those beyond the limit are
// counted: telling one costs ten times as much as counting it. After a second with more
// than STORM times per_second of them a part of that is told whole: in a storm single
// ones tell nothing new, and are dear when the machine has the least time for them.
// Resets that no socket sent and whose ports nobody watches have a limit of their own: they
// may be of a watched connection whose ports a NAT has changed, and must not take the place
// of those that certainly are.
enum { REJECTED = RECEIVED + 1, STRAY, KINDS };
#define STORM 4
#define IN_STORM 8 // one of so many

struct allowance {
	__u64 second, seen, limit;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KINDS);
	__type(key, __u32);
	__type(value, struct allowance);
} allowances SEC(".maps");

enum { LOST_RESETS, LOST_DROPS, LOST_RETRANSMITS, LOST_WAITS, LOST_STRAYS, LOSSES };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LOSSES);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u8);
} namespaces SEC(".maps");

// Retransmissions by connection.
struct flow {
	__u32 netns;
	__u16 family, local_port, remote_port;
	__u8 state, pad;
	__u8 local[16], remote[16];
};

struct counted {
	__u64 count, first, last;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct flow);
	__type(value, struct counted);
} retransmits SEC(".maps");

// Why a packet was dropped, beside the kernel's reasons.
enum { BY_REASON, BY_TABLE, BY_CONNTRACK_FULL, BY_CONNTRACK_INSERT, BY_ACCEPT_QUEUE, BY_SYN_QUEUE, BY_REJECT };
enum { PACKET_OTHER, PACKET_SYN, PACKET_SYNACK, PACKET_RST, PACKET_FIN, PACKET_TOO_BIG };

struct drop_key {
	__u64 location, callers[CALLERS]; // the place, and for netfilter who called it there
	__u32 netns, reason;
	__s32 ifindex;
	__u16 port;
	__u8 by, packet, hook, pf, pad[2];
	char table[NAME], chain[NAME];
};

struct drop {
	__u64 count, first, last;
	__u16 family, source_port, dest_port, pad;
	__u8 source[16], dest[16];
	char dev[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2048);
	__type(key, struct drop_key);
	__type(value, struct drop);
} drops SEC(".maps");

// Who uses a socket: the process that accepted or connected it.
struct owner {
	__u32 pid, tid;
	char comm[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct owner);
} owners SEC(".maps");

// How long packets waited for the process: the bucket is the binary logarithm of
// the microseconds.
enum { WAIT_ACCEPT, WAIT_READ };
#define BUCKETS 32

struct wait_key {
	__u32 netns;
	__u16 port;
	__u16 kind;
};

struct waits {
	__u64 buckets[BUCKETS];
};

// A busy server reads so often that to time each read would cost more than what is
// learnt: of those beyond READS_TIMED of a second, on each processor, one of READS_SHARED
// is timed, and counts for as many.
#define READS_TIMED 1024
#define READS_SHARED 16

struct pace {
	__u64 second, reads;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pace);
} paces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 256);
	__type(key, struct wait_key);
	__type(value, struct waits);
} delays SEC(".maps");

// Room for what does not fit on a program's stack. A program may be interrupted by
// another one on its CPU, and each works in a room of its own.
#define ROOMS 4
struct room {
	__u64 busy;
	struct event event;
	struct folded_key fold;
	struct drop_key key;
	struct drop value;
	__u64 stack[STACK];
	struct waits waits; // always zero
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ROOMS);
	__type(key, __u32);
	__type(value, struct room);
} rooms SEC(".maps");

// Where in netfilter a packet is that this CPU works on. Its place here comes from
// the packet's address: netfilter sends packets of its own, and is interrupted, while
// it works on one. What the members point to lives as long as netfilter works on it.
struct traversal {
	__u64 skb, chain, table, state;
	__u8 by;
	__u8 rejected;    // answered with a RST, which is reported
	__u8 unreachable; // answered with ICMP: the peer sees no reset
	__u8 counted;     // as dropped, by a kernel that gives no reasons
	__u8 pad[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct traversal);
} traversals SEC(".maps");

static __always_inline int watched(__u16 port)
{
	return port_bits[port >> 6] >> (port & 63) & 1;
}

static __always_inline int wanted(__u16 a, __u16 b)
{
	return all_ports || watched(a) || watched(b);
}

static __always_inline int wanted_namespace(__u32 inum)
{
	return all_namespaces || bpf_map_lookup_elem(&namespaces, &inum);
}

static __always_inline void lose(__u32 what)
{
	__u64 *n = bpf_map_lookup_elem(&lost, &what);
	if (n)
		*n += 1;
}

// take finds a free room; without one, what the program would have told is lost.
// Give it back.
static __always_inline struct room *take(__u32 what)
{
#pragma unroll
	for (__u32 i = 0; i < ROOMS; i++) {
		__u32 at = i;
		struct room *r = bpf_map_lookup_elem(&rooms, &at);
		if (r && !r->busy) {
			r->busy = 1;
			return r;
		}
	}
	lose(what);
	return 0;
}

static __always_inline void give(struct room *r) { r->busy = 0; }

static __always_inline struct traversal *place_of(struct sk_buff *skb)
{
	// The verifier lets nobody calculate with a pointer that it knows; with a copy of
	// its value it does.
	__u64 address;
	bpf_probe_read_kernel(&address, sizeof(address), &skb);
	__u32 at = (address * 0x9E3779B97F4A7C15ULL) >> 60;
	return bpf_map_lookup_elem(&traversals, &at);
}

// traverse notes where a packet is, and forgets what was noted there before.
static __always_inline struct traversal *traverse(struct sk_buff *skb, __u8 by, __u64 chain, __u64 table, __u64 state)
{
	struct traversal *t = place_of(skb);
	if (!t)
		return 0;
	t->skb = (__u64)skb;
	t->chain = chain;
	t->table = table;
	t->state = state;
	t->by = by;
	t->rejected = t->unreachable = t->counted = 0;
	return t;
}

struct packet {
	__u16 family, source_port, dest_port;
	__u8 tcp_flags, kind;
	__u8 source[16], dest[16];
};

// read_ports reads the ports of a segment that was too big.
static __always_inline int read_ports(unsigned char *tcp, struct packet *p)
{
	__u8 ports[4];
	if (bpf_probe_read_kernel(ports, 4, tcp))
		return 0;
	p->source_port = ports[0] << 8 | ports[1];
	p->dest_port = ports[2] << 8 | ports[3];
	p->kind = PACKET_TOO_BIG;
	return 1;
}

// read_packet reads the addresses and ports of a TCP segment from its network
// header. Of an ICMP message that says "too big" it reads those of the segment that
// was. It returns 0 for anything else.
static __always_inline int read_packet(struct sk_buff *skb, struct packet *p)
{
	unsigned char *head = BPF_CORE_READ(skb, head);
	__u16 network = BPF_CORE_READ(skb, network_header);
	__u16 protocol = bpf_ntohs(BPF_CORE_READ(skb, protocol));
	unsigned char *ip = head + network;
	__u8 header[40], tcp[14];
	__u32 length;

	if (!head || !network || network == 0xffff)
		return 0;
	if (protocol == ETH_P_IP) {
		if (bpf_probe_read_kernel(header, 20, ip) || header[0] >> 4 != 4)
			return 0;
		if ((header[6] & 0x1f) | header[7])
			return 0; // a later fragment has no ports
		length = (header[0] & 15) * 4;
		p->family = AF_INET;
		__builtin_memcpy(p->source, header + 12, 4);
		__builtin_memcpy(p->dest, header + 16, 4);
		if (header[9] == 1) { // ICMP: destination unreachable, fragmentation needed
			if (bpf_probe_read_kernel(tcp, 2, ip + length) || tcp[0] != 3 || tcp[1] != 4)
				return 0;
			ip += length + 8;
			if (bpf_probe_read_kernel(header, 20, ip) || header[0] >> 4 != 4 || header[9] != 6)
				return 0;
			length = (header[0] & 15) * 4;
			__builtin_memcpy(p->source, header + 12, 4);
			__builtin_memcpy(p->dest, header + 16, 4);
			return read_ports(ip + length, p);
		}
		if (header[9] != 6)
			return 0;
	} else if (protocol == ETH_P_IPV6) {
		if (bpf_probe_read_kernel(header, 40, ip) || header[0] >> 4 != 6)
			return 0;
		length = 40;
		p->family = AF_INET6;
		__builtin_memcpy(p->source, header + 8, 16);
		__builtin_memcpy(p->dest, header + 24, 16);
		if (header[6] == 58) { // ICMPv6: packet too big
			if (bpf_probe_read_kernel(tcp, 1, ip + length) || tcp[0] != 2)
				return 0;
			ip += length + 8;
			if (bpf_probe_read_kernel(header, 40, ip) || header[0] >> 4 != 6 || header[6] != 6)
				return 0;
			__builtin_memcpy(p->source, header + 8, 16);
			__builtin_memcpy(p->dest, header + 24, 16);
			return read_ports(ip + length, p);
		}
		if (header[6] != 6)
			return 0;
	} else {
		return 0;
	}
	if (bpf_probe_read_kernel(tcp, sizeof(tcp), ip + length))
		return 0;
	p->source_port = tcp[0] << 8 | tcp[1];
	p->dest_port = tcp[2] << 8 | tcp[3];
	p->tcp_flags = tcp[13];
	if (tcp[13] & 0x04)
		p->kind = PACKET_RST;
	else if ((tcp[13] & 0x12) == 0x12)
		p->kind = PACKET_SYNACK;
	else if (tcp[13] & 0x02)
		p->kind = PACKET_SYN;
	else if (tcp[13] & 0x01)
		p->kind = PACKET_FIN;
	return 1;
}

static __always_inline struct net *net_of(struct sk_buff *skb)
{
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	if (dev)
		return BPF_CORE_READ(dev, nd_net.net);
	// TCP takes the device away before it hands a packet to its socket, and what goes
	// out has none yet. The socket may be one that the kernel keeps for all namespaces.
	struct dst_entry *dst = (void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);
	if (dst)
		return BPF_CORE_READ(dst, dev, nd_net.net);
	struct sock *sk = BPF_CORE_READ(skb, sk);
	return sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net) : 0;
}

// argument reads one of the arguments in a way that the compiler does not merge
// with that of another: the verifier wants constant places.
#define argument(ctx, n) ({ \
	__u64 value; \
	asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(value) : "r"(ctx), "i"((n) * 8)); \
	value; \
})

static __always_inline __u64 cookie_of(struct net *net)
{
	if (bpf_core_field_exists(net->net_cookie))
		return BPF_CORE_READ(net, net_cookie);
	return 0;
}

// cgroup_of is the id of a socket's control group in the version 2 tree.
static __always_inline __u64 cgroup_of(struct sock *sk)
{
	struct cgroup *group;
	if (!bpf_core_field_exists(sk->sk_cgrp_data))
		return 0;
	if (bpf_core_field_exists(((struct sock_cgroup_data *)0)->cgroup)) {
		group = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		struct sock_cgroup_data___5_14 *old = (void *)&sk->sk_cgrp_data;
		__u64 word = BPF_CORE_READ(old, val);
		group = word & 1 ? 0 : (struct cgroup *)word;
	}
	return group ? BPF_CORE_READ(group, kn, id) : 0;
}

// number is the id of a process or thread in our pid namespace, 0 if it has none.
static __always_inline __u32 number(struct pid *pid)
{
	unsigned int level = BPF_CORE_READ(pid, level);
	for (unsigned int i = 0; i < 8; i++) {
		if (i > level)
			break;
		struct upid *u = (void *)pid + bpf_core_field_offset(struct pid, numbers) + i * bpf_core_type_size(struct upid);
		if (BPF_CORE_READ(u, ns, ns.inum) == pid_namespace)
			return BPF_CORE_READ(u, nr);
	}
	return 0;
}

static __always_inline void current_ids(__u32 *pid, __u32 *tid)
{
	__u64 ids = bpf_get_current_pid_tgid();
	*pid = ids >> 32;
	*tid = ids;
	if (pid_namespace) {
		struct task_struct *task = (void *)bpf_get_current_task();
		*pid = number(BPF_CORE_READ(task, signal, pids[1])); // PIDTYPE_TGID
		*tid = number(BPF_CORE_READ(task, thread_pid));
	}
}

static __always_inline void of_socket(struct event *e, struct sock *sk)
{
	e->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	e->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	e->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (!e->local_port) { // given back already: a socket that is being closed
		struct inet_sock *inet = (void *)sk;
		e->local_port = bpf_ntohs(BPF_CORE_READ(inet, inet_sport));
	}
	if (e->family == AF_INET) {
		BPF_CORE_READ_INTO((__u32 *)e->local, sk, __sk_common.skc_rcv_saddr);
		BPF_CORE_READ_INTO((__u32 *)e->remote, sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&e->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&e->remote, sk, __sk_common.skc_v6_daddr);
	}
}

// of_packet gives the ends of a packet that is answered: its destination is ours.
static __always_inline void of_packet(struct event *e, struct packet *p)
{
	e->family = p->family;
	e->local_port = p->dest_port;
	e->remote_port = p->source_port;
	e->tcp_flags = p->tcp_flags;
	__builtin_memcpy(e->local, p->dest, 16);
	__builtin_memcpy(e->remote, p->source, 16);
}

static __always_inline void of_owner(struct event *e, struct owner *o)
{
	if (!o)
		return;
	e->owner_pid = o->pid;
	e->owner_tid = o->tid;
	__builtin_memcpy(e->owner_comm, o->comm, 16);
}

static __always_inline void of_current(struct event *e, void *ctx)
{
	e->at = bpf_ktime_get_ns();
	current_ids(&e->pid, &e->tid);
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	long n = bpf_get_stack(ctx, e->stack, sizeof(e->stack), 0);
	e->frames = n > 0 ? (__u64)n >> 3 : 0;
}

static __always_inline void of_net(struct event *e, struct net *net)
{
	if (!net)
		return;
	e->netns = BPF_CORE_READ(net, ns.inum);
	e->cookie = cookie_of(net);
}

// afford says whether one more reset of a kind may be told whole in this second.
static __always_inline int afford(__u32 kind)
{
	__u64 second = bpf_ktime_get_ns() >> 30; // near enough to a second
	struct allowance *a = bpf_map_lookup_elem(&allowances, &kind);
	if (!a)
		return 0;
	if (a->second != second) { // at worst two processors begin a second each
		a->limit = per_second;
		if (a->second + 1 == second && a->seen > (__u64)STORM * per_second)
			a->limit = per_second / IN_STORM;
		a->second = second;
		a->seen = 0;
	}
	int may = a->seen < a->limit;
	__sync_fetch_and_add(&a->seen, 1);
	return may;
}

// fold counts an event with those that are like it.
static __always_inline void fold(struct room *r)
{
	struct event *e = &r->event;
	struct folded_key *k = &r->fold;
	__builtin_memset(k, 0, sizeof(*k));
	k->kind = e->kind;
	k->netns = e->netns;
	k->reason = e->reason;
	k->family = e->family;
	k->state = e->state;
	k->answer = e->answer;
	k->reject = e->reject;
	__builtin_memcpy(k->local, e->local, 16);
	__builtin_memcpy(k->remote, e->remote, 16);
	int local = all_ports ? e->local_port < e->remote_port : watched(e->local_port);
	if (local)
		k->local_port = e->local_port;
	else
		k->remote_port = e->remote_port;
	__u64 one = 1, *n = bpf_map_lookup_elem(&folded, k);
	if (!n) {
		if (bpf_map_update_elem(&folded, k, &one, BPF_NOEXIST) == 0)
			return;
		n = bpf_map_lookup_elem(&folded, k);
	}
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		lose(LOST_RESETS);
}

// submit streams an event, or counts it where the ring is full.
static __always_inline void submit(struct room *r)
{
	if (bpf_ringbuf_output(&events, &r->event, sizeof(r->event), BPF_RB_NO_WAKEUP))
		fold(r);
}

// tell_sent fills in and submits a RST of the kernel's own; sk or skb may be absent.
static __always_inline void tell_sent(void *ctx, struct room *r, struct sock *sk, struct sk_buff *skb, __u32 reason, struct owner *owner)
{
	struct packet p = {};
	struct net *net = 0;
	struct event *e = &r->event;
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = SENT;
	e->reason = reason;
	e->sock = (__u64)sk;
	if (sk) {
		net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
		e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
		of_socket(e, sk);
		// A connection that waits out its end, or begins, is no whole socket.
		if (e->state != TCP_TIME_WAIT && e->state != TCP_NEW_SYN_RECV)
			e->cgroup = cgroup_of(sk);
	}
	if (skb) {
		e->answer = 1;
		if (!net)
			net = net_of(skb);
		if (read_packet(skb, &p) && p.kind != PACKET_TOO_BIG)
			of_packet(e, &p);
	}
	int stray = !wanted(e->local_port, e->remote_port);
	if (stray && sk)
		return; // without a socket a NAT may have changed the ports
	of_net(e, net);
	if (!wanted_namespace(e->netns))
		return;
	if (!afford(stray ? STRAY : SENT)) {
		if (stray)
			lose(LOST_STRAYS);
		else
			fold(r);
		return;
	}
	of_owner(e, owner);
	of_current(e, ctx);
	submit(r);
}

static __always_inline int sent(void *ctx, struct sock *sk, struct sk_buff *skb, __u32 reason, struct owner *owner)
{
	struct room *r = take(LOST_RESETS);
	if (!r)
		return 0;
	tell_sent(ctx, r, sk, skb, reason, owner);
	give(r);
	return 0;
}

SEC("tp_btf/tcp_send_reset")
int on_send_reset(__u64 *ctx)
{
	struct sock *sk;
	struct sk_buff *skb;
	__u32 reason = 0;
	// Either may be absent, which the verifier of Linux before 6.13 does not
	// believe: it takes checks of arguments away. It knows nothing of copies.
	bpf_probe_read_kernel(&sk, sizeof(sk), &ctx[0]);
	bpf_probe_read_kernel(&skb, sizeof(skb), &ctx[1]);
	if (reset_has_reason)
		reason = ctx[2];
	struct owner *o = 0;
	if (sk && has_storage) {
		__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);
		if (state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV)
			o = bpf_sk_storage_get(&owners, (void *)ctx[0], 0, 0);
	}
	return sent(ctx, sk, skb, reason, o);
}

// Before Linux 6.9 the tracepoint is silent without a whole socket; the function
// that answers is seen then. It sends nothing in answer to a RST.
static __always_inline int answered(void *ctx, struct sock *sk, struct sk_buff *skb)
{
	struct packet p = {};
	if (sk) {
		__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);
		if (state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV)
			return 0;
	}
	if (!read_packet(skb, &p) || p.tcp_flags & 0x04)
		return 0;
	return sent(ctx, sk, skb, 0, 0);
}

SEC("fentry/tcp_v4_send_reset")
int on_answer_v4(__u64 *ctx) { return answered(ctx, (void *)ctx[0], (void *)ctx[1]); }

SEC("fentry/tcp_v6_send_reset")
int on_answer_v6(__u64 *ctx) { return answered(ctx, (void *)ctx[0], (void *)ctx[1]); }

static __always_inline void tell_received(struct room *r, struct sock *sk)
{
	struct event *e = &r->event;
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = RECEIVED;
	e->sock = (__u64)sk;
	of_socket(e, sk);
	if (!wanted(e->local_port, e->remote_port))
		return;
	of_net(e, BPF_CORE_READ(sk, __sk_common.skc_net.net));
	if (!wanted_namespace(e->netns))
		return;
	e->state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (!afford(RECEIVED)) {
		fold(r);
		return;
	}
	e->cgroup = cgroup_of(sk);
	e->at = bpf_ktime_get_ns();
	if (has_storage)
		of_owner(e, bpf_sk_storage_get(&owners, sk, 0, 0));
	submit(r);
}

SEC("tp_btf/tcp_receive_reset")
int on_receive_reset(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	struct room *r;
	if (!sk)
		return 0;
	r = take(LOST_RESETS);
	if (!r)
		return 0;
	tell_received(r, sk);
	give(r);
	return 0;
}

static __always_inline void count_retransmit(struct room *r, struct sock *sk)
{
	struct flow f = {};
	struct event *e = &r->event;
	__builtin_memset(e->local, 0, 32);
	of_socket(e, sk);
	f.family = e->family;
	f.state = BPF_CORE_READ(sk, __sk_common.skc_state);
	f.local_port = e->local_port;
	f.remote_port = e->remote_port;
	__builtin_memcpy(f.local, e->local, 16);
	__builtin_memcpy(f.remote, e->remote, 16);
	if (!wanted(f.local_port, f.remote_port))
		return;
	f.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (!wanted_namespace(f.netns))
		return;
	__u64 now = bpf_ktime_get_ns();
	struct counted *c = bpf_map_lookup_elem(&retransmits, &f);
	if (!c) {
		struct counted first = {.count = 1, .first = now, .last = now};
		if (bpf_map_update_elem(&retransmits, &f, &first, BPF_NOEXIST) == 0)
			return;
		c = bpf_map_lookup_elem(&retransmits, &f);
	}
	if (!c) {
		lose(LOST_RETRANSMITS);
		return;
	}
	__sync_fetch_and_add(&c->count, 1);
	c->last = now;
}

SEC("tp_btf/tcp_retransmit_skb")
int on_retransmit(__u64 *ctx)
{
	struct room *r = take(LOST_RETRANSMITS);
	if (!r)
		return 0;
	count_retransmit(r, (void *)ctx[0]);
	give(r);
	return 0;
}

// dropped counts a packet. The room's key holds by, hook, pf, table, chain and
// callers already.
static __always_inline void dropped(struct room *r, struct sk_buff *skb, struct sock *sk, __u64 location, __u32 reason)
{
	struct packet p = {};
	if (!read_packet(skb, &p))
		return;
	if (!wanted(p.source_port, p.dest_port))
		return;
	struct net *net = sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net) : net_of(skb);
	struct drop_key *k = &r->key;
	k->netns = net ? BPF_CORE_READ(net, ns.inum) : 0;
	if (!wanted_namespace(k->netns))
		return;
	k->location = location;
	k->reason = reason;
	k->packet = p.kind;
	// The server's port: a watched one, else where a connection is opened to.
	if (!all_ports)
		k->port = watched(p.dest_port) ? p.dest_port : p.source_port;
	else
		k->port = p.kind == PACKET_SYN || (p.kind != PACKET_SYNACK && p.dest_port < p.source_port) ? p.dest_port : p.source_port;
	struct net_device *dev = BPF_CORE_READ(skb, dev);
	k->ifindex = dev ? BPF_CORE_READ(dev, ifindex) : BPF_CORE_READ(skb, skb_iif);
	__u64 now = bpf_ktime_get_ns();
	struct drop *d = bpf_map_lookup_elem(&drops, k);
	if (!d) {
		struct drop *v = &r->value;
		__builtin_memset(v, 0, sizeof(*v));
		v->first = now;
		v->family = p.family;
		if (dev)
			bpf_probe_read_kernel_str(v->dev, sizeof(v->dev), &dev->name);
		bpf_map_update_elem(&drops, k, v, BPF_NOEXIST);
		d = bpf_map_lookup_elem(&drops, k);
	}
	if (!d) {
		lose(LOST_DROPS);
		return;
	}
	__sync_fetch_and_add(&d->count, 1);
	d->last = now;
	d->source_port = p.source_port;
	d->dest_port = p.dest_port;
	__builtin_memcpy(d->source, p.source, 16);
	__builtin_memcpy(d->dest, p.dest, 16);
}

static __always_inline __u8 hook_of(const struct nf_hook_state *state)
{
	__u32 hook = 0; // an unsigned int before Linux 5.16
	bpf_probe_read_kernel(&hook, bpf_core_field_size(state->hook) == 1 ? 1 : 4, __builtin_preserve_access_index(&state->hook));
	return hook;
}

// name_place says where in netfilter a packet is.
static __always_inline void name_place(struct drop_key *k, struct traversal *t)
{
	const struct nf_hook_state *state = (void *)t->state;
	struct nft_chain *chain = (void *)t->chain;
	struct xt_table *table = (void *)t->table;
	k->by = t->unreachable ? BY_REJECT : t->by;
	if (state) {
		k->hook = hook_of(state);
		k->pf = BPF_CORE_READ(state, pf);
	} else {
		k->hook = 0xff; // not known
	}
	// Both types are of modules, which may not be loaded, or carry no types.
	if (chain && bpf_core_field_exists(chain->name) && bpf_core_field_exists(chain->table)) {
		bpf_probe_read_kernel_str(k->chain, NAME, BPF_CORE_READ(chain, name));
		bpf_probe_read_kernel_str(k->table, NAME, BPF_CORE_READ(chain, table, name));
	} else if (table && bpf_core_field_exists(table->name)) {
		bpf_probe_read_kernel_str(k->table, NAME, __builtin_preserve_access_index(&table->name));
	}
}

SEC("tp_btf/kfree_skb")
int on_drop(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[0];
	__u32 reason = 0;
	if (drop_has_reason)
		reason = ctx[2];
	if (reason_overflow && reason == reason_overflow)
		return 0; // counted with its listener
	if (reason < 256) {
		__u64 at = reason >> 6; // the compiler must not forget that this is bounded
		asm volatile("%0 &= 3" : "+r"(at));
		__u64 word = usual_reasons[at];
		if (word & (1ULL << (reason & 63)))
			return 0;
	}
	struct traversal *t = place_of(skb);
	if (!t)
		return 0;
	int filtered = reason_netfilter ? reason == reason_netfilter : ctx[1] > netfilter_from && ctx[1] <= netfilter_to;
	int placed = t->skb == (__u64)skb;
	if (placed) {
		t->skb = 0;
		if (t->counted || (filtered && t->rejected))
			return 0; // counted already, or answered with a RST, which is reported
	}
	struct room *r = take(LOST_DROPS);
	if (!r)
		return 0;
	__builtin_memset(&r->key, 0, sizeof(r->key));
	if (filtered && placed) {
		name_place(&r->key, t);
	} else if (filtered) {
		// Which hook it was shows in who asked netfilter.
		long n = bpf_get_stack(ctx, r->stack, sizeof(r->stack), 0);
		for (int i = 0; i < STACK - CALLERS; i++) {
			if (n >= (i + 1 + CALLERS) * 8 && r->stack[i] == ctx[1]) {
				__builtin_memcpy(r->key.callers, &r->stack[i + 1], sizeof(r->key.callers));
				break;
			}
		}
	}
	struct sock *sk = 0;
	if (drop_has_sock) // may be absent, too
		bpf_probe_read_kernel(&sk, sizeof(sk), &ctx[3]);
	dropped(r, skb, sk, ctx[1], reason);
	give(r);
	return 0;
}

// decided notes what a part of netfilter says of a packet. The packet is freed a
// little later, with a reason; a kernel that gives none counts it here. Linux 6.8 and
// later frees what nftables drops before this, see on_drop.
static __always_inline int decided(struct sk_buff *skb, __u32 verdict, __u8 by, __u64 chain, __u64 table, __u64 state)
{
	struct traversal *t = place_of(skb);
	if (!t)
		return 0;
	if (verdict & NF_VERDICT_MASK) { // not dropped
		if (t->skb == (__u64)skb)
			t->skb = 0;
		return 0;
	}
	if (t->skb != (__u64)skb) // it was elsewhere when netfilter began with it
		t = traverse(skb, by, chain, table, state);
	if (!t || drop_has_reason)
		return 0;
	t->counted = 1;
	if (t->rejected)
		return 0;
	struct room *r = take(LOST_DROPS);
	if (!r)
		return 0;
	__builtin_memset(&r->key, 0, sizeof(r->key));
	name_place(&r->key, t);
	dropped(r, skb, 0, 0, 0);
	give(r);
	return 0;
}

static __always_inline __u64 state_of(struct nft_pktinfo *pkt)
{
	if (bpf_core_field_exists(pkt->state))
		return (__u64)BPF_CORE_READ(pkt, state);
	struct nft_pktinfo___5_13 *old = (void *)pkt;
	return (__u64)BPF_CORE_READ(old, xt.state);
}

SEC("fentry/nft_do_chain")
int on_nft_chain(__u64 *ctx)
{
	struct nft_pktinfo *pkt = (void *)ctx[0];
	traverse(BPF_CORE_READ(pkt, skb), BY_TABLE, ctx[1], 0, state_of(pkt));
	return 0;
}

SEC("fexit/nft_do_chain")
int on_nft_verdict(__u64 *ctx)
{
	struct nft_pktinfo *pkt = (void *)ctx[0];
	return decided(BPF_CORE_READ(pkt, skb), ctx[2], BY_TABLE, ctx[1], 0, state_of(pkt));
}

static __always_inline int xt_chain(__u64 *ctx)
{
	__u64 first = argument(ctx, 0), second = argument(ctx, 1), third = argument(ctx, 2);
	if (table_first)
		traverse((void *)second, BY_TABLE, 0, first, third);
	else
		traverse((void *)first, BY_TABLE, 0, third, second);
	return 0;
}

static __always_inline int xt_verdict(__u64 *ctx)
{
	__u64 first = argument(ctx, 0), second = argument(ctx, 1), third = argument(ctx, 2);
	if (table_first)
		return decided((void *)second, ctx[3], BY_TABLE, 0, first, third);
	return decided((void *)first, ctx[3], BY_TABLE, 0, third, second);
}

SEC("fentry/ipt_do_table")
int on_ipt_chain(__u64 *ctx) { return xt_chain(ctx); }

SEC("fentry/ip6t_do_table")
int on_ip6t_chain(__u64 *ctx) { return xt_chain(ctx); }

SEC("fexit/ipt_do_table")
int on_ipt_verdict(__u64 *ctx) { return xt_verdict(ctx); }

SEC("fexit/ip6t_do_table")
int on_ip6t_verdict(__u64 *ctx) { return xt_verdict(ctx); }

// rejected reports a RST that a rule sends. hook is the one that the rule is in.
static __always_inline int rejected(void *ctx, struct net *net, struct sk_buff *skb, __u32 hook)
{
	struct packet p = {};
	struct traversal *t = place_of(skb);
	if (!t || !read_packet(skb, &p) || p.tcp_flags & 0x04)
		return 0; // nothing answers a RST
	if (t->skb != (__u64)skb)
		traverse(skb, BY_TABLE, 0, 0, 0);
	t->rejected = 1;
	if (!wanted(p.source_port, p.dest_port))
		return 0;
	struct room *r = take(LOST_RESETS);
	if (!r)
		return 0;
	struct event *e = &r->event;
	__builtin_memset(e, 0, sizeof(*e));
	e->kind = SENT;
	e->answer = 1;
	e->reject = 1;
	of_packet(e, &p);
	of_net(e, net);
	if (wanted_namespace(e->netns) && !afford(REJECTED)) {
		fold(r);
	} else if (wanted_namespace(e->netns)) {
		of_current(e, ctx);
		__builtin_memset(&r->key, 0, sizeof(r->key));
		name_place(&r->key, t);
		e->hook = hook;
		e->pf = r->key.pf;
		__builtin_memcpy(e->table, r->key.table, NAME);
		__builtin_memcpy(e->chain, r->key.chain, NAME);
		submit(r);
	}
	give(r);
	return 0;
}

// Linux 5.10 put the socket before the packet.
static __always_inline int on_reject(__u64 *ctx)
{
	__u64 packet, hook;
	if (reject_has_sock) {
		packet = argument(ctx, 2);
		hook = argument(ctx, 3);
	} else {
		packet = argument(ctx, 1);
		hook = argument(ctx, 2);
	}
	return rejected(ctx, (void *)ctx[0], (void *)packet, hook);
}

SEC("fentry/nf_send_reset")
int on_reject_v4(__u64 *ctx) { return on_reject(ctx); }

SEC("fentry/nf_send_reset6")
int on_reject_v6(__u64 *ctx) { return on_reject(ctx); }

static __always_inline int unreachable(struct sk_buff *skb)
{
	struct traversal *t = place_of(skb);
	if (t && t->skb == (__u64)skb)
		t->unreachable = 1;
	return 0;
}

SEC("fentry/nf_send_unreach")
int on_unreach_v4(__u64 *ctx) { return unreachable((void *)ctx[0]); }

SEC("fentry/nf_send_unreach6")
int on_unreach_v6(__u64 *ctx) { return unreachable((void *)ctx[1]); }

SEC("fexit/nf_conntrack_in")
int on_conntrack_in(__u64 *ctx)
{
	return decided((void *)ctx[0], ctx[2], BY_CONNTRACK_FULL, 0, 0, ctx[1]);
}

SEC("fexit/__nf_conntrack_confirm")
int on_conntrack_confirm(__u64 *ctx)
{
	return decided((void *)ctx[0], ctx[1], BY_CONNTRACK_INSERT, 0, 0, 0);
}

static __always_inline int overflown(struct sock *sk, struct sk_buff *skb, int syn)
{
	__u32 limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	__u8 by;
	if (BPF_CORE_READ(sk, sk_ack_backlog) > limit) {
		by = BY_ACCEPT_QUEUE;
	} else if (syn) {
		struct inet_connection_sock *icsk = (void *)sk;
		struct net *net = BPF_CORE_READ(sk, __sk_common.skc_net.net);
		__u32 cookies = 0, length = BPF_CORE_READ(icsk, icsk_accept_queue.qlen.counter);
		if (length < limit)
			return 0;
		bpf_probe_read_kernel(&cookies, bpf_core_field_size(net->ipv4.sysctl_tcp_syncookies) == 1 ? 1 : 4,
				      __builtin_preserve_access_index(&net->ipv4.sysctl_tcp_syncookies));
		if (cookies)
			return 0; // a cookie is sent: nothing is dropped
		by = BY_SYN_QUEUE;
		if (length == limit) {
			// Full for some kernels, and not quite for others: see on_syn_done.
			traverse(skb, by, 0, 0, 0);
			return 0;
		}
	} else {
		return 0;
	}
	struct room *r = take(LOST_DROPS);
	if (!r)
		return 0;
	__builtin_memset(&r->key, 0, sizeof(r->key));
	r->key.by = by;
	dropped(r, skb, sk, 0, 0);
	give(r);
	return 0;
}

SEC("fentry/tcp_conn_request")
int on_syn(__u64 *ctx) { return overflown((void *)ctx[2], (void *)ctx[3], 1); }

// A queue that was just full has let the SYN in if it is longer now.
SEC("fexit/tcp_conn_request")
int on_syn_done(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[3];
	struct traversal *t = place_of(skb);
	if (!t || t->skb != (__u64)skb)
		return 0;
	t->skb = 0;
	if (t->by != BY_SYN_QUEUE)
		return 0;
	struct sock *sk = (void *)ctx[2];
	struct inet_connection_sock *icsk = (void *)sk;
	if ((__u32)BPF_CORE_READ(icsk, icsk_accept_queue.qlen.counter) > BPF_CORE_READ(sk, sk_max_ack_backlog))
		return 0;
	struct room *r = take(LOST_DROPS);
	if (!r)
		return 0;
	__builtin_memset(&r->key, 0, sizeof(r->key));
	r->key.by = BY_SYN_QUEUE;
	dropped(r, skb, sk, 0, 0);
	give(r);
	return 0;
}

SEC("fentry/tcp_v4_syn_recv_sock")
int on_established_v4(__u64 *ctx) { return overflown((void *)ctx[0], (void *)ctx[1], 0); }

SEC("fentry/tcp_v6_syn_recv_sock")
int on_established_v6(__u64 *ctx)
{
	struct sk_buff *skb = (void *)ctx[1];
	if (bpf_ntohs(BPF_CORE_READ(skb, protocol)) == ETH_P_IP)
		return 0; // it hands IPv4 on to the other
	return overflown((void *)ctx[0], skb, 0);
}

// bits is the number of bits that a number needs, at most 31.
static __always_inline __u32 bits(__u64 n)
{
	__u32 bits = 0;
	if (n >> 31)
		return BUCKETS - 1;
	if (n >> 16) {
		bits += 16;
		n >>= 16;
	}
	if (n >> 8) {
		bits += 8;
		n >>= 8;
	}
	if (n >> 4) {
		bits += 4;
		n >>= 4;
	}
	if (n >> 2) {
		bits += 2;
		n >>= 2;
	}
	return bits + (n > 1 ? 2 : n);
}

// waited counts, as so many, how long what came last on a connection has waited.
static __always_inline void waited(struct sock *sk, __u16 kind, __u64 now, __u64 count)
{
	struct tcp_sock *tp = (void *)sk;
	struct wait_key k = {};
	__u64 since = BPF_CORE_READ(tp, tcp_mstamp), us = now / 1000;
	__u32 bucket = bits(us > since ? us - since : 0);
	k.kind = kind;
	k.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	k.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (!wanted_namespace(k.netns))
		return;
	struct waits *w = bpf_map_lookup_elem(&delays, &k);
	if (!w) {
		struct room *r = take(LOST_WAITS);
		if (!r)
			return;
		bpf_map_update_elem(&delays, &k, &r->waits, BPF_NOEXIST);
		give(r);
		w = bpf_map_lookup_elem(&delays, &k);
	}
	if (w && bucket < BUCKETS)
		w->buckets[bucket] += count;
}

static __always_inline void own(struct owner *o)
{
	if (!o)
		return;
	current_ids(&o->pid, &o->tid);
	bpf_get_current_comm(o->comm, sizeof(o->comm));
}

SEC("fexit/inet_csk_accept")
int on_accept(__u64 *ctx)
{
	struct sock *listener = (void *)ctx[0];
	struct sock *sk;
	__u16 port = BPF_CORE_READ(listener, __sk_common.skc_num);
	if (!wanted(port, port))
		return 0;
	if (accept_has_err)
		sk = (void *)argument(ctx, 4);
	else
		sk = (void *)argument(ctx, 2);
	if (!sk)
		return 0;
	if (has_storage)
		own(bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE));
	waited(sk, WAIT_ACCEPT, bpf_ktime_get_ns(), 1);
	return 0;
}

SEC("fentry/tcp_connect")
int on_connect(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	__u16 port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (!wanted(port, port))
		return 0;
	if (has_storage)
		own(bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE));
	return 0;
}

SEC("fentry/tcp_recvmsg")
int on_read(__u64 *ctx)
{
	struct sock *sk = (void *)ctx[0];
	// Read as they stand, without a helper: this runs at every read of the machine.
	if (all_ports || !watched(sk->__sk_common.skc_num))
		return 0;
	if (sk->sk_receive_queue.qlen == 0)
		return 0; // nothing waits: the process does
	__u32 zero = 0;
	struct pace *p = bpf_map_lookup_elem(&paces, &zero);
	if (!p)
		return 0;
	__u64 n = p->reads++, count = 1;
	if (n >= READS_TIMED) {
		if (n % READS_SHARED)
			return 0;
		count = READS_SHARED;
	}
	__u64 now = bpf_ktime_get_ns(), second = now >> 30;
	if (p->second != second) {
		p->second = second;
		p->reads = 0;
	}
	waited(sk, WAIT_READ, now, count);
	return 0;
}
