//go:build ignore

// Takes RST packets, and remembers the TTL of SYN-ACKs to compare them with. The
// programs run for every packet of an interface, so they look at its TCP flags
// first and at nothing else of most. What they take is bounded: RSTs beyond
// per_second are counted together. They never change what becomes of a packet.
//
// They use no types of the kernel's own: contexts, helpers and constants are of
// its stable interface (uapi/linux/bpf.h).

#include "kernel.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char __license[] SEC("license") = "Dual MIT/GPL";

struct __sk_buff {
	__u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
	__u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end;
};

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86DD
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88A8
#define BPF_HDR_START_MAC 0
#define BPF_HDR_START_NET 1
#define PACKET_OUTGOING 4
#define TC_ACT_UNSPEC -1
#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10
#define SNAP 256 // as much of a packet as is kept

volatile const __u8 all_packets = 1; // of all ports
volatile const __u32 per_second = 5000;
volatile const __u64 packet_ports[1024];

// A RST, from its network header on.
struct packet_record {
	__u64 at;
	__u32 ifindex, length, captured;
	__u16 protocol;
	__u8 outgoing;
	__u8 flow_ttl;    // of the SYN-ACK of this flow, from the same end; 0: not seen
	__u8 server_ttl;  // of the latest SYN-ACK from the same port
	__u8 peer_serves; // the other end has sent SYN-ACKs
	__u8 hardware[6];
	__u8 data[SNAP];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 << 20);
} packets SEC(".maps");

struct ends {
	__u8 source[16], dest[16];
	__u16 source_port, dest_port;
	__u32 place; // interface and direction: a router lowers the TTL
} __attribute__((aligned(8)));

// Counts of RSTs that were too many, without the client's port.
struct packet_fold {
	struct ends ends;
	__u16 protocol;
	__u8 flags, ttl, flow_ttl, server_ttl, peer_serves, options, window, id, df, pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct packet_fold);
	__type(value, __u64);
} packet_folds SEC(".maps");

// TTLs of SYN-ACKs by flow. Of the number in a slot, which stands where the flow's
// hash says, the last byte is the TTL and the others are the hash: a store of one
// word, for every connection. A later flow may take the slot; that a RST finds
// another's TTL has a chance of one in 2^56.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 131072);
	__type(key, __u32);
	__type(value, __u64);
} flow_ttls SEC(".maps");

volatile const __u32 flow_mask = 131071;

struct server {
	__u8 addr[16];
	__u32 place;
	__u32 port;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct server);
	__type(value, __u8);
} server_ttls SEC(".maps");

// How many RSTs passed each place in this second, and how many of them are taken whole.
// Places that pass the same packets on take the same ones whole, so that neither counts
// what the other has taken; but for one or two where a second begins. So all of them
// take fewer after a second in which more than STORM times per_second passed any of them.
#define STORM 4
#define IN_STORM 8 // one of so many

struct budget {
	__u64 second, seen, limit;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packet_storm SEC(".maps"); // the last second that was one

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct budget);
} packet_budgets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} packets_lost SEC(".maps");

struct packet_scratch {
	struct packet_record record;
	struct packet_fold fold;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet_scratch);
} packet_scratches SEC(".maps");

static __always_inline __u64 hash_of(struct ends *ends)
{
	__u64 *words = (void *)ends, h = 0;
#pragma unroll
	for (int i = 0; i < 5; i++) {
		h = (h ^ words[i]) * 0x9E3779B97F4A7C15ULL;
		h ^= h >> 32;
	}
	return h;
}

static __always_inline __u64 *slot_of(__u64 hash)
{
	__u32 n = hash & flow_mask;
	return bpf_map_lookup_elem(&flow_ttls, &n);
}

static __always_inline int watched_port(__u16 port)
{
	return packet_ports[port >> 6] >> (port & 63) & 1;
}

static __always_inline int read_at(struct __sk_buff *skb, __u32 at, void *to, __u32 n)
{
	return bpf_skb_load_bytes_relative(skb, at, to, n, BPF_HDR_START_NET);
}

// room says whether one more RST of this second may be taken whole.
static __always_inline int room(__u64 now, __u32 place)
{
	__u64 second = now >> 30; // near enough to a second
	__u32 zero = 0;
	__u64 *storm = bpf_map_lookup_elem(&packet_storm, &zero);
	struct budget *b = bpf_map_lookup_elem(&packet_budgets, &place);
	if (!b) {
		struct budget first = {};
		bpf_map_update_elem(&packet_budgets, &place, &first, BPF_NOEXIST);
		b = bpf_map_lookup_elem(&packet_budgets, &place);
	}
	if (!b || !storm)
		return 0;
	if (b->second != second) { // at worst two processors begin a second each
		b->limit = per_second;
		if (*storm + 1 == second)
			b->limit = per_second / IN_STORM;
		b->second = second;
		b->seen = 0;
	}
	int may = b->seen < b->limit;
	__sync_fetch_and_add(&b->seen, 1);
	if (b->seen > (__u64)STORM * per_second && *storm != second)
		*storm = second;
	return may;
}

static __always_inline void lose_packet(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&packets_lost, &zero);
	if (n)
		__sync_fetch_and_add(n, 1);
}

// has_options looks for anything but padding at the beginning of the TCP options.
static __always_inline int has_options(struct __sk_buff *skb, __u32 tcp, __u8 words)
{
	__u8 kinds[4];
	if (words >> 4 <= 5 || read_at(skb, tcp + 20, kinds, 4))
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		if (kinds[i] == 0)
			return 0;
		if (kinds[i] != 1)
			return 1;
	}
	return words >> 4 > 6;
}

static __always_inline void take(struct __sk_buff *skb, int outgoing)
{
	__u8 head[54]; // an IPv4 header without options and TCP's, or IPv6's and TCP's first 14 bytes
	__u16 first = bpf_ntohs(skb->protocol), protocol = first;
	__u32 network = 0, tcp, length;
	__u8 flags, ttl;

	if (protocol == ETH_P_8021Q || protocol == ETH_P_8021AD) {
#pragma unroll
		for (int i = 0; i < 2; i++) {
			if (protocol == ETH_P_8021Q || protocol == ETH_P_8021AD) {
				if (read_at(skb, network, head, 4))
					return;
				protocol = head[2] << 8 | head[3];
				network += 4;
			}
		}
	}
	if (protocol == ETH_P_IP) {
		// A TCP segment without options is as long as this.
		if (read_at(skb, network, head, 40) || head[9] != 6)
			return;
		tcp = (head[0] & 15) * 4;
		flags = head[33];
		if (tcp != 20 && read_at(skb, network + tcp + 13, &flags, 1))
			return;
		if (!(flags & RST) && (flags & (SYN | ACK)) != (SYN | ACK))
			return;
		if (head[0] >> 4 != 4 || (head[6] & 0x1f) | head[7])
			return; // a later fragment
		ttl = head[8];
		length = head[2] << 8 | head[3];
	} else if (protocol == ETH_P_IPV6) {
		if (read_at(skb, network, head, 54))
			return;
		__u8 next = head[6];
		tcp = 40;
#pragma unroll
		for (int i = 0; i < 6; i++) {
			__u8 extension[2];
			if (next != 0 && next != 43 && next != 60)
				break;
			if (read_at(skb, network + tcp, extension, 2))
				return;
			next = extension[0];
			tcp += extension[1] * 8 + 8;
		}
		if (next != 6)
			return;
		flags = head[53];
		if (tcp != 40 && read_at(skb, network + tcp + 13, &flags, 1))
			return;
		if (!(flags & RST) && (flags & (SYN | ACK)) != (SYN | ACK))
			return;
		ttl = head[7];
		length = (head[4] << 8 | head[5]) + 40;
	} else {
		return;
	}

	__u8 ports[14];
	if (read_at(skb, network + tcp, ports, sizeof(ports)))
		return;
	struct ends ends = {};
	ends.source_port = ports[0] << 8 | ports[1];
	ends.dest_port = ports[2] << 8 | ports[3];
	if (!all_packets && !watched_port(ends.source_port) && !watched_port(ends.dest_port))
		return;
	if (protocol == ETH_P_IP) {
		__builtin_memcpy(ends.source, head + 12, 4);
		__builtin_memcpy(ends.dest, head + 16, 4);
	} else {
		__builtin_memcpy(ends.source, head + 8, 16);
		__builtin_memcpy(ends.dest, head + 24, 16);
	}
	ends.place = skb->ifindex << 1 | outgoing;
	struct server server = {.place = ends.place, .port = ends.source_port};
	__builtin_memcpy(server.addr, ends.source, 16);
	__u8 *known = bpf_map_lookup_elem(&server_ttls, &server);
	if (!(flags & RST)) {
		__u64 hash = hash_of(&ends), *slot = slot_of(hash);
		if (slot)
			*slot = (hash & ~0xffULL) | ttl;
		if (!known || *known != ttl)
			bpf_map_update_elem(&server_ttls, &server, &ttl, BPF_ANY);
		return;
	}

	__u32 zero = 0;
	struct packet_scratch *s = bpf_map_lookup_elem(&packet_scratches, &zero);
	if (!s)
		return;
	struct packet_record *r = &s->record;
	r->server_ttl = known ? *known : 0;
	__u64 hash = hash_of(&ends), *slot = slot_of(hash), told = slot ? *slot : 0;
	r->flow_ttl = (told ^ hash) >> 8 == 0 ? told & 0xff : 0;
	__builtin_memcpy(server.addr, ends.dest, 16);
	server.port = ends.dest_port;
	r->peer_serves = bpf_map_lookup_elem(&server_ttls, &server) != 0;
	r->at = bpf_ktime_get_ns();
	if (room(r->at, ends.place)) {
		r->ifindex = skb->ifindex;
		r->outgoing = outgoing;
		r->protocol = first;
		r->length = network + length;
		r->captured = r->length < SNAP ? r->length : SNAP;
		__u64 n = r->captured;
		asm volatile("" : "+r"(n)); // the compiler must not forget the bounds below
		if (n == 0 || n > SNAP)
			return;
		if (read_at(skb, 0, r->data, n)) {
			lose_packet(); // shorter than it says
			return;
		}
		if (bpf_skb_load_bytes_relative(skb, 6, r->hardware, 6, BPF_HDR_START_MAC))
			__builtin_memset(r->hardware, 0, 6);
		if (bpf_ringbuf_output(&packets, r, sizeof(*r), BPF_RB_NO_WAKEUP) == 0)
			return;
	}

	struct packet_fold *k = &s->fold;
	__builtin_memset(k, 0, sizeof(*k));
	k->ends = ends;
	if (all_packets ? ends.source_port < ends.dest_port : watched_port(ends.source_port))
		k->ends.dest_port = 0;
	else
		k->ends.source_port = 0;
	k->protocol = protocol;
	k->flags = flags;
	k->ttl = ttl;
	k->flow_ttl = r->flow_ttl;
	k->server_ttl = r->server_ttl;
	k->peer_serves = r->peer_serves;
	__u8 rest[4];
	if (read_at(skb, network + tcp + 12, rest, 4) == 0) {
		k->options = has_options(skb, network + tcp, rest[0]);
		k->window = (rest[2] | rest[3]) != 0;
	}
	if (protocol == ETH_P_IP) {
		k->id = (head[4] | head[5]) != 0;
		k->df = (head[6] & 0x40) != 0;
	} else {
		k->df = 1;
	}
	__u64 one = 1, *count = bpf_map_lookup_elem(&packet_folds, k);
	if (!count) {
		if (bpf_map_update_elem(&packet_folds, k, &one, BPF_NOEXIST) == 0)
			return;
		count = bpf_map_lookup_elem(&packet_folds, k);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		lose_packet();
}

// dull recognises, at the least cost, what most packets are: neither RST nor
// SYN-ACK, behind an Ethernet header. It says 0 where it is not sure.
static __always_inline int dull(struct __sk_buff *skb)
{
	__u8 *p = (void *)(long)skb->data, *end = (void *)(long)skb->data_end, flags;
	__u16 protocol = skb->protocol;

	if (p + 54 > end || *(__u16 *)(p + 12) != protocol)
		return 0;
	if (protocol == bpf_htons(ETH_P_IP)) {
		if (p[14] != 0x45)
			return 0;
		if (p[23] != 6)
			return 1;
		flags = p[47];
	} else if (protocol == bpf_htons(ETH_P_IPV6)) {
		if (p[20] != 6 || p + 68 > end)
			return 0;
		flags = p[67];
	} else {
		return 0;
	}
	return !(flags & RST) && (flags & (SYN | ACK)) != (SYN | ACK);
}

SEC("tcx/ingress")
int on_ingress(struct __sk_buff *skb)
{
	if (!dull(skb))
		take(skb, 0);
	return TC_ACT_UNSPEC;
}

SEC("tcx/egress")
int on_egress(struct __sk_buff *skb)
{
	if (!dull(skb))
		take(skb, 1);
	return TC_ACT_UNSPEC;
}

// For kernels without tcx: the filter of a packet socket that is handed nothing.
SEC("socket")
int on_packet(struct __sk_buff *skb)
{
	take(skb, skb->pkt_type == PACKET_OUTGOING);
	return 0;
}
