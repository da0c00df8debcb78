/*
 * Senders in C: what the kernel allows with each mechanism, as a baseline.
 *
 *	csend MECHANISM INTERFACE MILLISECONDS <frame
 *
 * MECHANISM is send, sendmmsg, txring2, txring3 or xdp, or send+thread: send, with
 * another thread that sleeps. The frame on the standard input goes out again and
 * again, BATCH at a time where the mechanism has batches; a ring's slots are
 * filled anew for each frame, as by a sender whose frames differ. Prints a line
 * of JSON: how many frames went out, and the time on the clock and on the
 * processor, in ns, of those that were measured.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64
#define WARM 20000000 /* ns */
#define SLOTS 1024 /* of a ring */
#define SLOT 2048  /* bytes */

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9 /* Linux 6.17 */
#endif

static unsigned char frame[SLOT];
static unsigned len;
static int fd;

static void die(const char *what)
{
	printf("{\"Error\":\"%s: %s\"}\n", what, strerror(errno));
	exit(0);
}

static void check(int rc, const char *what)
{
	if (rc < 0)
		die(what);
}

static int64_t now(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void packet_socket(const char *ifname)
{
	struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(ifname)};
	/* Protocol 0: it receives nothing. */
	check(fd = socket(AF_PACKET, SOCK_RAW, 0), "socket");
	check(bind(fd, (struct sockaddr *)&a, sizeof a), "bind");
}

static void batch_send(void)
{
	for (int i = 0; i < BATCH; i++)
		check(send(fd, frame, len, 0), "send");
}

static struct mmsghdr messages[BATCH];
static struct iovec vectors[BATCH];

static void open_sendmmsg(void)
{
	for (int i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){frame, len};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
	}
}

static void batch_sendmmsg(void)
{
	for (int done = 0; done < BATCH;) {
		int n = sendmmsg(fd, messages + done, BATCH - done, 0);
		check(n, "sendmmsg");
		done += n;
	}
}

static unsigned char *ring;
static unsigned slot;

static void open_txring(int version)
{
	struct tpacket_req3 req = {
		.tp_block_size = 64 << 10, .tp_frame_size = SLOT,
		.tp_block_nr = SLOTS * SLOT / (64 << 10), .tp_frame_nr = SLOTS,
	};
	check(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version), "PACKET_VERSION");
	check(setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &req,
			 version == TPACKET_V3 ? sizeof(struct tpacket_req3) : sizeof(struct tpacket_req)),
	      "PACKET_TX_RING");
	ring = mmap(NULL, SLOTS * SLOT, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED)
		die("mmap");
}

static void kick(void)
{
	if (send(fd, NULL, 0, MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != ENOBUFS)
		die("send");
}

/* wait_slot waits until the kernel is done with a slot. */
static void wait_slot(volatile uint32_t *status)
{
	while (__atomic_load_n(status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE) {
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		kick();
		poll(&p, 1, 1);
	}
}

static void batch_txring2(void)
{
	for (int i = 0; i < BATCH; i++, slot = (slot + 1) % SLOTS) {
		struct tpacket2_hdr *h = (void *)(ring + slot * SLOT);
		wait_slot(&h->tp_status);
		memcpy((unsigned char *)h + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), frame, len);
		h->tp_len = len;
		__atomic_store_n(&h->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	}
	kick();
}

static void batch_txring3(void)
{
	for (int i = 0; i < BATCH; i++, slot = (slot + 1) % SLOTS) {
		struct tpacket3_hdr *h = (void *)(ring + slot * SLOT);
		wait_slot(&h->tp_status);
		memcpy((unsigned char *)h + TPACKET3_HDRLEN - sizeof(struct sockaddr_ll), frame, len);
		h->tp_len = len;
		h->tp_next_offset = 0;
		__atomic_store_n(&h->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	}
	kick();
}

static unsigned char *umem;
static uint32_t *tx_producer, *tx_consumer, *done_producer, *done_consumer;
static struct xdp_desc *tx;
static uint32_t sent, reaped;
static unsigned chunk; /* of the next frame */

static void open_xdp(const char *ifname)
{
	struct xdp_mmap_offsets off;
	socklen_t optlen = sizeof off;
	int n = SLOTS;
	check(fd = socket(AF_XDP, SOCK_RAW, 0), "socket");
	umem = mmap(NULL, SLOTS * SLOT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (umem == MAP_FAILED)
		die("mmap");
	struct xdp_umem_reg reg = {.addr = (uintptr_t)umem, .len = SLOTS * SLOT, .chunk_size = SLOT};
	check(setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof reg), "XDP_UMEM_REG");
	check(setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &n, sizeof n), "XDP_UMEM_FILL_RING");
	check(setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &n, sizeof n), "XDP_UMEM_COMPLETION_RING");
	check(setsockopt(fd, SOL_XDP, XDP_TX_RING, &n, sizeof n), "XDP_TX_RING");
	check(getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &optlen), "XDP_MMAP_OFFSETS");
	unsigned char *t = mmap(NULL, off.tx.desc + SLOTS * sizeof(struct xdp_desc), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_POPULATE, fd, XDP_PGOFF_TX_RING);
	unsigned char *c = mmap(NULL, off.cr.desc + SLOTS * sizeof(uint64_t), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_POPULATE, fd, XDP_UMEM_PGOFF_COMPLETION_RING);
	if (t == MAP_FAILED || c == MAP_FAILED)
		die("mmap");
	tx = (void *)(t + off.tx.desc);
	tx_producer = (void *)(t + off.tx.producer);
	tx_consumer = (void *)(t + off.tx.consumer);
	done_producer = (void *)(c + off.cr.producer);
	done_consumer = (void *)(c + off.cr.consumer);
	struct sockaddr_xdp a = {
		.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = if_nametoindex(ifname),
	};
	check(bind(fd, (struct sockaddr *)&a, sizeof a), "bind");
	/* Without it, one call sends 32 frames at most. */
	setsockopt(fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &n, sizeof n);
}

static void batch_xdp(void)
{
	/* Chunks come back in the order in which they went out. When all are back,
	   those at the beginning are still in the cache. */
	for (;;) {
		reaped = __atomic_load_n(done_producer, __ATOMIC_ACQUIRE);
		__atomic_store_n(done_consumer, reaped, __ATOMIC_RELEASE);
		if (sent + BATCH - reaped <= SLOTS)
			break;
		kick();
	}
	if (reaped == sent)
		chunk = 0;
	for (int i = 0; i < BATCH; i++, chunk = (chunk + 1) % SLOTS) {
		memcpy(umem + chunk * SLOT, frame, len);
		tx[(sent + i) % SLOTS] = (struct xdp_desc){.addr = chunk * SLOT, .len = len};
	}
	sent += BATCH;
	__atomic_store_n(tx_producer, sent, __ATOMIC_RELEASE);
	while (__atomic_load_n(tx_consumer, __ATOMIC_ACQUIRE) != sent)
		kick();
}

static void *sleeper(void *arg)
{
	pause();
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	void (*batch)(void);
	if (argc != 4)
		return 2;
	len = fread(frame, 1, sizeof frame, stdin);
	if (strcmp(argv[1], "xdp") == 0) {
		open_xdp(argv[2]);
		batch = batch_xdp;
	} else {
		packet_socket(argv[2]);
		if (strcmp(argv[1], "send") == 0) {
			batch = batch_send;
		} else if (strcmp(argv[1], "send+thread") == 0) {
			batch = batch_send;
			if ((errno = pthread_create(&thread, NULL, sleeper, NULL)) != 0)
				die("pthread_create");
		} else if (strcmp(argv[1], "sendmmsg") == 0) {
			open_sendmmsg();
			batch = batch_sendmmsg;
		} else if (strcmp(argv[1], "txring2") == 0) {
			open_txring(TPACKET_V2);
			batch = batch_txring2;
		} else if (strcmp(argv[1], "txring3") == 0) {
			open_txring(TPACKET_V3);
			batch = batch_txring3;
		} else {
			return 2;
		}
	}
	/* Not measured: the first ones. */
	int64_t limit = WARM, warm = 0, frames = 0, start = now(CLOCK_MONOTONIC), wall;
	for (; now(CLOCK_MONOTONIC) - start < limit; warm += BATCH)
		batch();
	limit = atoll(argv[3]) * 1000000;
	int64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID);
	start = now(CLOCK_MONOTONIC);
	while ((wall = now(CLOCK_MONOTONIC) - start) < limit) {
		batch();
		frames += BATCH;
	}
	cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("{\"Frames\":%lld,\"Warm\":%lld,\"Nanoseconds\":%lld,\"CPU\":%lld}\n",
	       (long long)frames, (long long)warm, (long long)wall, (long long)cpu);
	return 0;
}
