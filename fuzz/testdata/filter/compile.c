/* compile: what libpcap makes of filter expressions.
 * build: cc -O2 -o compile compile.c -lpcap
 *
 * Standard input, with 32-bit numbers in the machine's byte order:
 *   link types, and for each: length and bytes of its name (DLT_ is left out),
 *   packets, and for each: length on the wire, captured length, bytes
 *   then until the end: the number of a link type, length and bytes of an
 *   expression
 * Standard output, for each expression twice, not optimized and optimized:
 *   0, length and bytes of the error; or
 *   instructions, and a byte for each packet as it is, and for each packet
 *   with zeros after it: 0 or 1 for the verdict, 2 where there is none because
 *   the program does not end; then the same for the first bytes of some packets:
 *   how many packets, and for each its number, and a verdict for its first 0, 1,
 *   2 ... bytes, up to all of them or PREFIX. These packets are EACH that the
 *   program accepts with zeros after them, and EACH that it does not, from
 *   another packet on for each expression. */
#include <pcap/pcap.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define PAD 4096
#define PREFIX 128
#define EACH 4

static sigjmp_buf late;
static void on_alarm(int s) { (void)s; siglongjmp(late, 1); }
static unsigned number(void) {
	unsigned v;
	if (fread(&v, sizeof v, 1, stdin) != 1) exit(feof(stdin) ? 0 : 1);
	return v;
}
static char *bytes(unsigned n, unsigned room) {
	char *b = calloc(1, (n > room ? n : room) + 1);
	if (n && fread(b, n, 1, stdin) != 1) exit(1);
	return b;
}
static void put(unsigned v) { fwrite(&v, sizeof v, 1, stdout); }

/* A handle for an empty file of a link type: for the loopback types libpcap's
 * rules for files are not those for a handle without file. */
static pcap_t *handle(int dlt) {
	char err[PCAP_ERRBUF_SIZE];
	pcap_t *dead = pcap_open_dead(dlt, 262144);
	FILE *f = tmpfile();
	if (dlt < 0 || dead == NULL || f == NULL) return NULL;
	int fd = dup(fileno(f));
	pcap_dumper_t *d = pcap_dump_fopen(dead, f);
	if (d == NULL) return dead;
	pcap_dump_close(d);
	lseek(fd, 0, SEEK_SET);
	return pcap_fopen_offline(fdopen(fd, "r"), err);
}

struct packet { unsigned wire, len; unsigned char *b; };
struct link { pcap_t *p; unsigned n; struct packet *pkt; };

int main(void) {
	unsigned links = number();
	struct link *l = calloc(links + 1, sizeof *l);
	struct itimerval t = {{0, 200000}, {0, 200000}}, none = {{0, 0}, {0, 0}};
	signal(SIGVTALRM, on_alarm);
	for (unsigned i = 0; i < links; i++) {
		l[i].p = handle(pcap_datalink_name_to_val(bytes(number(), 0)));
		l[i].n = number();
		l[i].pkt = calloc(l[i].n + 1, sizeof *l[i].pkt);
		for (unsigned j = 0; j < l[i].n; j++) {
			struct packet *p = &l[i].pkt[j];
			p->wire = number();
			p->len = number();
			p->b = (unsigned char *)bytes(p->len, PAD);
		}
	}
	for (unsigned c = 0;; c++) {
		struct link *k = &l[number()];
		char *accepts = calloc(k->n + 1, 1);
		unsigned some[2 * EACH], chosen = 0;
		char *expr = bytes(number(), 0);
		for (int opt = 0; opt < 2; opt++) {
			struct bpf_program prog;
			const char *err = "no such link type";
			if (k->p == NULL || pcap_compile(k->p, &prog, expr, opt, 0) < 0) {
				if (k->p != NULL) err = pcap_geterr(k->p);
				put(0);
				put(strlen(err));
				fwrite(err, strlen(err), 1, stdout);
				continue;
			}
			put(prog.bf_len);
			static volatile unsigned j, pad;
			for (pad = 0; pad < 2; pad++)
				for (j = 0; j < k->n; j++) {
					struct packet *p = &k->pkt[j];
					if (sigsetjmp(late, 1)) {
						putchar(2);
						continue;
					}
					if ((j & 63) == 0) setitimer(ITIMER_VIRTUAL, &t, NULL);
					int yes = bpf_filter(prog.bf_insns, p->b, p->wire, pad && p->len < PAD ? PAD : p->len) != 0;
					putchar(yes);
					accepts[j] = yes;
				}
			if (chosen == 0) {
				unsigned n[2] = {0, 0};
				for (unsigned i = 0; i < k->n; i++) {
					unsigned at = (c * 7 + i) % k->n;
					if (n[!!accepts[at]]++ < EACH) some[chosen++] = at;
				}
			}
			put(chosen);
			static volatile unsigned len;
			for (j = 0; j < chosen; j++) {
				struct packet *p = &k->pkt[some[j]];
				unsigned most = p->len < PREFIX ? p->len : PREFIX;
				put(some[j]);
				len = 0;
				if (sigsetjmp(late, 1))
					for (; len <= most; len++) putchar(2);
				else
					setitimer(ITIMER_VIRTUAL, &t, NULL);
				for (; len <= most; len++)
					putchar(bpf_filter(prog.bf_insns, p->b, p->wire, len) != 0);
			}
			setitimer(ITIMER_VIRTUAL, &none, NULL);
			pcap_freecode(&prog);
		}
		free(accepts);
		free(expr);
	}
}
