// The kernel's types as far as the programs read them. Only names count: the
// loader finds offsets and sizes in the running kernel's own type information
// (CO-RE), so fields may stand in any order and others may lie between.
#ifndef RAMPLOAD_KERNEL_H
#define RAMPLOAD_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

// The parts of the ABI that the helpers' declarations name (uapi/linux/bpf.h).
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_SK_STORAGE_GET_F_CREATE = 1,
	BPF_RB_NO_WAKEUP = 1,
	BPF_F_NO_PREALLOC = 1,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct netns_ipv4 {
	u8 sysctl_tcp_syncookies;
};

struct net {
	struct ns_common ns;
	u64 net_cookie;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	char name[16];
	int ifindex;
	possible_net_t nd_net;
};

struct in6_addr {
	u8 addr[16];
};

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

// Before Linux 5.15 a word that holds the pointer unless its lowest bit is set.
struct sock_cgroup_data___5_14 {
	u64 val;
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sk_buff;

struct sk_buff_head {
	u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	u32 sk_ack_backlog;
	u32 sk_max_ack_backlog;
	u16 sk_protocol;
	struct sock_cgroup_data sk_cgrp_data;
};

typedef struct {
	int counter;
} atomic_t;

struct request_sock_queue {
	atomic_t qlen;
};

struct inet_connection_sock {
	struct request_sock_queue icsk_accept_queue;
};

struct inet_sock {
	__be16 inet_sport;
};

struct tcp_sock {
	u64 tcp_mstamp;
};

struct sk_buff {
	struct sock *sk;
	struct net_device *dev;
	unsigned char *head;
	__be16 protocol;
	u16 network_header;
	int skb_iif;
	unsigned long _skb_refdst;
};

struct dst_entry {
	struct net_device *dev;
};

struct nf_hook_state {
	u8 hook;
	u8 pf;
	struct net *net;
};

struct nft_pktinfo {
	struct sk_buff *skb;
	const struct nf_hook_state *state;
};

// Before Linux 5.14 the state lay one struct further down.
struct xt_action_param {
	const struct nf_hook_state *state;
};
struct nft_pktinfo___5_13 {
	struct sk_buff *skb;
	struct xt_action_param xt;
};

struct nft_table {
	char *name;
};

struct nft_chain {
	struct nft_table *table;
	char *name;
};

struct xt_table {
	const char name[32];
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid_namespace {
	struct ns_common ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct signal_struct {
	struct pid *pids[4];
};

struct task_struct {
	struct pid *thread_pid;
	struct signal_struct *signal;
};

#pragma clang attribute pop

#endif
