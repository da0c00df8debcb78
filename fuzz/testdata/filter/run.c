/* run: verdicts and texts of libpcap for programs of classic BPF.
 * build: cc -O2 -o run run.c -lpcap
 *
 * Everything is read from standard input, as 32-bit numbers in the machine's
 * byte order:
 *   packets, and for each: length on the wire, captured length, bytes
 *   for each program until the end: instructions, and for each: code, jt, jf, k
 * and written to standard output for each program:
 *   whether libpcap takes it, and if it does, for each packet: what bpf_filter
 *   returns; 0xdeadbeef where it does not end
 * With -i, the lines of bpf_image for the programs are written instead. */
#include <pcap/pcap.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static sigjmp_buf late;
static void on_alarm(int s) { (void)s; siglongjmp(late, 1); }
static unsigned number(void) {
	unsigned v;
	if (fread(&v, sizeof v, 1, stdin) != 1) exit(feof(stdin) ? 0 : 1);
	return v;
}
static void put(unsigned v) { fwrite(&v, sizeof v, 1, stdout); }

int main(int argc, char **argv) {
	int image = argc > 1 && !strcmp(argv[1], "-i");
	struct { unsigned wire, len; unsigned char *b; } *p;
	unsigned n = number();
	/* Processor time, which a busy machine does not take from the others. */
	struct itimerval t = {{0, 200000}, {0, 200000}}, none = {{0, 0}, {0, 0}};
	signal(SIGVTALRM, on_alarm);
	p = calloc(n + 1, sizeof *p);
	for (unsigned i = 0; i < n; i++) {
		p[i].wire = number();
		p[i].len = number();
		p[i].b = malloc(p[i].len + 1);
		if (p[i].len && fread(p[i].b, p[i].len, 1, stdin) != 1) return 1;
	}
	for (;;) {
		unsigned len = number();
		struct bpf_insn *prog = calloc(len + 1, sizeof *prog);
		for (unsigned i = 0; i < len; i++) {
			prog[i].code = number();
			prog[i].jt = number();
			prog[i].jf = number();
			prog[i].k = number();
		}
		if (image) {
			for (unsigned i = 0; i < len; i++) puts(bpf_image(&prog[i], i));
			free(prog);
			continue;
		}
		int ok = bpf_validate(prog, len);
		put(ok);
		static volatile unsigned i;
		for (i = 0; ok && i < n; i++) {
			if (sigsetjmp(late, 1)) {
				put(0xdeadbeef);
				continue;
			}
			if ((i & 63) == 0) setitimer(ITIMER_VIRTUAL, &t, NULL);
			put(bpf_filter(prog, p[i].b, p[i].wire, p[i].len));
		}
		setitimer(ITIMER_VIRTUAL, &none, NULL);
		free(prog);
	}
}
