package capture_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
	"github.com/gopkts/gopkts/common/link"
)

// pair is two hosts on one cable.
type pair struct {
	client, server       *netns.NS
	clientMAC, serverMAC link.MacAddr
}

const (
	clientAddr = "192.0.2.1"
	serverAddr = "192.0.2.2"
)

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{client: netns.New(t), server: netns.New(t)}
	netns.Connect(t, p.client, "veth0", p.server, "veth0")
	p.client.AddAddress(t, "veth0", clientAddr+"/24")
	p.server.AddAddress(t, "veth0", serverAddr+"/24")
	p.clientMAC = p.client.Interface(t, "veth0").MAC
	p.serverMAC = p.server.Interface(t, "veth0").MAC
	return p
}

// sniff opens an active Sniffer at the client's end.
func (p *pair) sniff(t *testing.T, cfg *capture.Config) *capture.Sniffer {
	t.Helper()
	s, err := openIn(p.client, "veth0", manyBlocks(cfg))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// manyBlocks returns cfg with a ring of many blocks, if it does not say how large
// the buffer is: a slow machine puts few frames into each.
func manyBlocks(cfg *capture.Config) *capture.Config {
	var c capture.Config
	if cfg != nil {
		c = *cfg
	}
	if c.Ring == nil && c.BufferSize == 0 {
		c.Ring = &capture.Ring{BlockSize: 256 << 10, BlockCount: 64}
	}
	return &c
}

// eachBackend runs a test on every backend that reads an AF_PACKET socket.
func eachBackend(t *testing.T, test func(t *testing.T, backend capture.BackendType)) {
	for _, b := range []capture.BackendType{capture.BackendRing, capture.BackendMessages} {
		t.Run(b.String(), func(t *testing.T) { test(t, b) })
	}
}

// drain returns all frames that were captured.
func drain(t *testing.T, s *capture.Sniffer) []link.Frame {
	t.Helper()
	if err := s.Deactivate(); err != nil {
		t.Fatal(err)
	}
	var all []link.Frame
	for f, err := range s.Frames(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Clone())
	}
	if st, err := s.Stats(); err != nil || st.Dropped != 0 {
		t.Fatalf("Stats = %+v, %v, want nothing dropped", st, err)
	}
	return all
}

// ipv4 is as much of an IPv4 header (RFC 791, section 3.1) in an Ethernet
// frame as these tests look at.
type ipv4 struct {
	src, dst netip.Addr
	proto    byte
	id       uint16
	more     bool
	offset   int // bytes
	payload  []byte
}

func parseIPv4(b []byte) (h ipv4, ok bool) {
	if len(b) < 34 || binary.BigEndian.Uint16(b[12:]) != 0x0800 {
		return h, false
	}
	b = b[14:]
	n, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if n < 20 || total < n || total > len(b) {
		return h, false
	}
	frag := binary.BigEndian.Uint16(b[6:])
	return ipv4{
		src: netip.AddrFrom4([4]byte(b[12:])), dst: netip.AddrFrom4([4]byte(b[16:])),
		proto: b[9], id: binary.BigEndian.Uint16(b[4:]),
		more: frag&0x2000 != 0, offset: int(frag&0x1fff) * 8,
		payload: b[n:total],
	}, true
}

func TestPing(t *testing.T) { eachBackend(t, testPing) }

func testPing(t *testing.T, backend capture.BackendType) {
	p := newPair(t)
	s := p.sniff(t, with(nil, backend))
	before := time.Now()
	p.client.Run(t, "ping", "-c", "3", "-i", "0.05", "-s", "100", "-p", "a5", serverAddr)
	after := time.Now()

	type echo struct {
		dir  link.Direction
		kind byte
		seq  uint16
	}
	var got, want []echo
	for seq := range uint16(3) {
		want = append(want, echo{link.DirectionOut, 8, seq + 1}, echo{link.DirectionIn, 0, seq + 1})
	}
	for _, f := range drain(t, s) {
		if f.Time.Before(before.Add(-time.Second)) || f.Time.After(after.Add(time.Second)) || f.TimeSource != link.TimeSoftware {
			t.Errorf("time %v by %v, want between %v and %v by software", f.Time, f.TimeSource, before, after)
		}
		ip, ok := parseIPv4(f.Data)
		if !ok || ip.proto != 1 {
			continue
		}
		if len(ip.payload) != 108 || !bytes.Equal(ip.payload[24:], bytes.Repeat([]byte{0xa5}, 84)) {
			t.Errorf("ICMP message % x", ip.payload)
		}
		got = append(got, echo{f.Direction, ip.payload[0], binary.BigEndian.Uint16(ip.payload[6:])})
	}
	if !slices.Equal(got, want) {
		t.Errorf("captured %v, want %v", got, want)
	}
}

func TestFragments(t *testing.T) {
	p := newPair(t)
	s := p.sniff(t, nil)
	p.client.Run(t, "ping", "-c", "1", "-s", "4000", "-p", "5a", serverAddr)

	messages := map[link.Direction][]byte{}
	count := map[link.Direction]int{}
	for _, f := range drain(t, s) {
		ip, ok := parseIPv4(f.Data)
		if !ok || ip.proto != 1 {
			continue
		}
		if ip.offset != len(messages[f.Direction]) {
			t.Errorf("%v fragment at %d, want %d", f.Direction, ip.offset, len(messages[f.Direction]))
		}
		messages[f.Direction] = append(messages[f.Direction], ip.payload...)
		count[f.Direction]++
		if last := count[f.Direction] == 3; ip.more == last {
			t.Errorf("%v fragment %d has more=%t", f.Direction, count[f.Direction], ip.more)
		}
	}
	for dir, kind := range map[link.Direction]byte{link.DirectionOut: 8, link.DirectionIn: 0} {
		m := messages[dir]
		if count[dir] != 3 || len(m) != 4008 || m[0] != kind || !bytes.Equal(m[24:], bytes.Repeat([]byte{0x5a}, 3984)) {
			t.Errorf("%v: %d fragments, %d bytes, want 3 and 4008", dir, count[dir], len(m))
		}
	}
}

// TestHTTP captures what a real web server answers to a real client.
func TestHTTP(t *testing.T) {
	p := newPair(t)
	nginx, curl := netns.Look(t, "nginx"), netns.Look(t, "curl")
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // its workers are not root
		t.Fatal(err)
	}
	body := make([]byte, 300<<10)
	rand.Read(body)
	conf := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log stderr;
events {}
http { access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f;
uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s; server { listen %[2]s:80; root %[1]s; } }`, dir, serverAddr)
	for name, content := range map[string][]byte{"file": body, "conf": []byte(conf)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var log strings.Builder
	server := exec.Command(nginx, "-p", dir, "-c", filepath.Join(dir, "conf"), "-e", "stderr")
	server.Stderr = &log
	if err := p.server.Start(server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})

	s := p.sniff(t, &capture.Config{BufferSize: 32 << 20})
	out := filepath.Join(dir, "out")
	p.client.Run(t, curl, "-sS", "--fail", "--retry", "50", "--retry-connrefused", "--retry-delay", "0",
		"--retry-max-time", "10", "-o", out, "http://"+serverAddr+"/file")
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, body) {
		t.Fatalf("curl got %d bytes, %v, want %d", len(got), err, len(body))
	}

	// RFC 9293, section 3.1. The last connection is the one that worked.
	var first uint32
	var stream []byte
	var request []byte
	for _, f := range drain(t, s) {
		ip, ok := parseIPv4(f.Data)
		if !ok || ip.proto != 6 {
			continue
		}
		if f.Truncated() {
			t.Errorf("frame of %d bytes was cut to %d", f.WireLen, len(f.Data))
		}
		tcp := ip.payload
		seq, flags, data := binary.BigEndian.Uint32(tcp[4:]), tcp[13], tcp[tcp[12]>>4*4:]
		switch {
		case f.Direction == link.DirectionOut:
			request = append(request, data...)
		case flags&0x12 == 0x12: // SYN and ACK
			first, stream = seq+1, nil
		case len(data) > 0:
			at := int(seq - first)
			if need := at + len(data); need > len(stream) {
				stream = append(stream, make([]byte, need-len(stream))...)
			}
			copy(stream[at:], data)
		}
	}
	if !strings.HasPrefix(string(request), "GET /file HTTP/1.1\r\nHost: "+serverAddr+"\r\n") {
		t.Errorf("request %q", request)
	}
	head, rest, _ := bytes.Cut(stream, []byte("\r\n\r\n"))
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 OK\r\n")) || !bytes.Equal(rest, body) {
		t.Errorf("response %q and %d bytes, want 200 and the %d bytes of the file", head, len(rest), len(body))
	}
}

// checksum is RFC 1071, section 1, without any cleverness.
func checksum(parts ...[]byte) uint16 {
	var sum uint32
	for _, p := range parts {
		for i := 0; i < len(p); i += 2 {
			sum += uint32(p[i])<<8 | uint32(p[i+1])
		}
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// syn returns a TCP SYN from the client to a port of the server.
func (p *pair) syn(port uint16, seq uint32) []byte {
	src, dst := netip.MustParseAddr(clientAddr).As4(), netip.MustParseAddr(serverAddr).As4()
	tcp := make([]byte, 20)
	binary.BigEndian.PutUint16(tcp[0:], 40000)  // source port
	binary.BigEndian.PutUint16(tcp[2:], port)   // destination port
	binary.BigEndian.PutUint32(tcp[4:], seq)    // sequence number
	tcp[12] = 5 << 4                            // header of five words
	tcp[13] = 0x02                              // SYN
	binary.BigEndian.PutUint16(tcp[14:], 64240) // window
	pseudo := slices.Concat(src[:], dst[:], []byte{0, 6, 0, 20})
	binary.BigEndian.PutUint16(tcp[16:], checksum(pseudo, tcp))

	ip := []byte{
		0x45, 0, 0, 40, // version 4, header of five words, total length
		0x12, 0x34, 0x40, 0, // identification, do not fragment
		64, 6, 0, 0, // time to live, TCP, checksum
	}
	ip = slices.Concat(ip, src[:], dst[:])
	binary.BigEndian.PutUint16(ip[10:], checksum(ip))
	return slices.Concat(p.serverMAC[:], p.clientMAC[:], []byte{0x08, 0x00}, ip, tcp)
}

func TestSYN(t *testing.T) {
	p := newPair(t)
	var port uint16
	if err := p.server.Do(func() error {
		l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.ParseIP(serverAddr)})
		if err != nil {
			return err
		}
		t.Cleanup(func() { l.Close() })
		port = l.Addr().(*net.TCPAddr).AddrPort().Port()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		port  uint16
		flags byte
	}{
		{"listening: SYN and ACK", port, 0x12},
		{"closed: RST and ACK", port ^ 1, 0x14},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := p.sniff(t, &capture.Config{Immediate: true})
			const seq = 0xfffffffe
			if err := s.Send(p.syn(c.port, seq)); err != nil {
				t.Fatal(err)
			}
			if err := s.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			var f link.Frame
			for {
				if err := s.Next(&f); err != nil {
					t.Fatalf("no answer: %v", err)
				}
				ip, ok := parseIPv4(f.Data)
				if !ok || ip.proto != 6 || f.Direction != link.DirectionIn {
					continue
				}
				tcp := ip.payload
				if ip.src.String() != serverAddr || binary.BigEndian.Uint16(tcp) != c.port ||
					binary.BigEndian.Uint16(tcp[2:]) != 40000 {
					t.Fatalf("answer from %v, TCP % x", ip.src, tcp)
				}
				if tcp[13] != c.flags || binary.BigEndian.Uint32(tcp[8:]) != 0xffffffff {
					t.Errorf("answer has flags %#x and acknowledges %#x, want %#x and 0xffffffff",
						tcp[13], binary.BigEndian.Uint32(tcp[8:]), c.flags)
				}
				return
			}
		})
	}
}

// TestVLAN sends tagged frames: the kernel takes the outer tag off.
func TestVLAN(t *testing.T) { eachBackend(t, testVLAN) }

func testVLAN(t *testing.T, backend capture.BackendType) {
	p := newPair(t)
	s := p.sniff(t, with(nil, backend))
	peer, err := openIn(p.server, "veth0", with(nil, backend))
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	macs := slices.Concat(p.clientMAC[:], p.serverMAC[:])
	payload := append([]byte{0x88, 0xb5}, bytes.Repeat([]byte{7}, 60)...)
	for _, c := range []struct {
		name      string
		tags      []byte
		tpid, tci uint16
		flags     link.InfoFlags
		left      []byte
	}{
		{"none", nil, 0, 0, 0, nil},
		{"802.1Q", []byte{0x81, 0x00, 0x60, 0x64}, 0x8100, 0x6064, link.InfoVLAN, nil},
		{"priority only", []byte{0x81, 0x00, 0x00, 0x00}, 0x8100, 0, link.InfoVLAN, nil},
		{"802.1ad", []byte{0x88, 0xa8, 0x00, 0x05}, 0x88a8, 5, link.InfoVLAN, nil},
		{"QinQ", []byte{0x88, 0xa8, 0x00, 0x05, 0x81, 0x00, 0x00, 0x07}, 0x88a8, 5, link.InfoVLAN, []byte{0x81, 0x00, 0x00, 0x07}},
	} {
		if err := peer.Send(slices.Concat(macs, c.tags, payload)); err != nil {
			t.Fatal(err)
		}
		if err := s.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		var f link.Frame
		if err := s.Next(&f); err != nil {
			t.Fatal(err)
		}
		want := slices.Concat(macs, c.left, payload)
		if f.Flags&link.InfoVLAN != c.flags || f.VLANTPID != c.tpid || f.VLANTCI != c.tci || !bytes.Equal(f.Data, want) {
			t.Errorf("%s: flags %b, TPID %#x, TCI %#x, % x, want %b, %#x, %#x, % x", c.name,
				f.Flags, f.VLANTPID, f.VLANTCI, f.Data[:24], c.flags, c.tpid, c.tci, want[:24])
		}
	}
}

// TestLongFrame captures the longest frame of the loopback interface whole.
func TestLongFrame(t *testing.T) { eachBackend(t, testLongFrame) }

func testLongFrame(t *testing.T, backend capture.BackendType) {
	ns := netns.New(t)
	s, err := openIn(ns, "lo", with(nil, backend))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 14+65536)
	rand.Read(want)
	copy(want, make([]byte, 12))
	binary.BigEndian.PutUint16(want[12:], 0x88b5)
	if err := s.Send(want); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, f := range drain(t, s) {
		if !bytes.Equal(f.Data, want) || f.Truncated() {
			t.Errorf("got %d bytes of %d, want all %d", len(f.Data), f.WireLen, len(want))
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d frames, want one out and one in", n)
	}
}

// TestCloseFreesSocket closes with a frame outstanding: the kernel must have
// forgotten the socket nevertheless.
func TestCloseFreesSocket(t *testing.T) { eachBackend(t, testCloseFreesSocket) }

func testCloseFreesSocket(t *testing.T, backend capture.BackendType) {
	p := newPair(t)
	promiscuous := func() bool {
		return strings.Contains(p.client.Run(t, "ip", "-d", "link", "show", "veth0"), "promiscuity 1")
	}
	sockets := func() (lines int) {
		if err := p.client.Do(func() error {
			b, err := os.ReadFile("/proc/thread-self/net/packet")
			lines = bytes.Count(b, []byte("\n")) - 1
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return lines
	}
	s := p.sniff(t, with(&capture.Config{Promiscuous: true}, backend))
	if !promiscuous() || sockets() != 2 {
		t.Errorf("open: promiscuous %t, %d sockets, want one to read and one to send", promiscuous(), sockets())
	}
	if err := s.Send(p.syn(80, 1)); err != nil {
		t.Fatal(err)
	}
	if err := s.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var f link.Frame
	if err := s.Next(&f); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if promiscuous() || sockets() != 0 {
		t.Errorf("closed: promiscuous %t, %d sockets", promiscuous(), sockets())
	}
	if !bytes.Equal(f.Data, p.syn(80, 1)) {
		t.Errorf("frame changed with Close: % x", f.Data)
	}
}

// TestIdle wants a reader that waits to use no processor, also after others
// were interrupted.
func TestIdle(t *testing.T) {
	p := newPair(t)
	s := p.sniff(t, nil)
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	var f link.Frame
	for range 3 {
		if err := s.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if err := s.Next(&f); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	// What the runtime does besides does not grow with the wait.
	var took []time.Duration
	for wait := 400 * time.Millisecond; wait < 4*time.Second; wait *= 2 {
		if err := s.SetReadDeadline(time.Now().Add(wait)); err != nil {
			t.Fatal(err)
		}
		before := used()
		if err := s.Next(&f); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		got := used() - before
		if got <= wait/4 {
			return
		}
		took = append(took, got)
	}
	t.Errorf("waiting for 400ms, and twice as long each time, used the processor for %v", took)
}

// TestActivateAtOnce changes the filter while the kernel holds a block back for
// a second, or longer on an emulated processor: Activate neither waits for it
// nor lets old frames through.
func TestActivateAtOnce(t *testing.T) { eachBackend(t, testActivateAtOnce) }

func testActivateAtOnce(t *testing.T, backend capture.BackendType) {
	p := newPair(t)
	hold := time.Second
	if os.Getenv("GOPKTS_VM_CABLE") != "" {
		hold *= 8
	}
	s := p.sniff(t, with(&capture.Config{Timeout: hold}, backend))
	sent := func() (seqs []uint32) {
		for _, f := range drain(t, s) {
			if ip, ok := parseIPv4(f.Data); ok && f.Direction == link.DirectionOut && ip.payload[13] == 0x02 {
				seqs = append(seqs, binary.BigEndian.Uint32(ip.payload[4:]))
			}
		}
		return seqs
	}
	for i := range uint32(4) {
		if err := s.Send(p.syn(80, i)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := s.Activate(nil); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > hold/2 {
			t.Errorf("Activate took %v", d)
		}
	}
	if err := s.Send(p.syn(80, 100)); err != nil {
		t.Fatal(err)
	}
	if got := sent(); !slices.Equal(got, []uint32{100}) {
		t.Errorf("captured SYNs %v, want only the one behind the last Activate", got)
	}
	// With nothing behind what was forgotten, there is nothing to wait for.
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(p.syn(80, 5)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond) // for the answer
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if got := sent(); got != nil {
		t.Errorf("captured SYNs %v, which are older than Activate", got)
	}
	if d := time.Since(start); d > hold/2 {
		t.Errorf("finding nothing took %v", d)
	}
}

// TestSyscallConn reaches the socket that receives.
func TestSyscallConn(t *testing.T) { eachBackend(t, testSyscallConn) }

func testSyscallConn(t *testing.T, backend capture.BackendType) {
	p := newPair(t)
	s := p.sniff(t, with(nil, backend))
	c, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var typ, domain int
	var typErr, domainErr error
	if err := c.Control(func(fd uintptr) {
		typ, typErr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE)
		domain, domainErr = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_DOMAIN)
	}); err != nil {
		t.Fatal(err)
	}
	if typErr != nil || domainErr != nil || typ != syscall.SOCK_RAW || domain != syscall.AF_PACKET {
		t.Errorf("socket type %d (%v) of domain %d (%v)", typ, typErr, domain, domainErr)
	}
}

func TestOpenNoInterface(t *testing.T) {
	ns := netns.New(t)
	for _, name := range []string{"nope", "", "a name that is much longer than fifteen bytes", "a\x00b"} {
		_, err := openIn(ns, name, nil)
		if !errors.Is(err, capture.ErrNoInterface) {
			t.Errorf("Open(%q) = %v, want ErrNoInterface", name, err)
			continue
		}
		if want := "capture: open " + name + ": no such interface: there are lo"; err.Error() != want {
			t.Errorf("Open(%q) = %q, want %q", name, err, want)
		}
	}
}

// TestHardwareTypes opens an interface without a link header.
func TestHardwareTypes(t *testing.T) {
	ns := netns.New(t)
	ns.Run(t, "ip", "tuntap", "add", "tun0", "mode", "tun")
	s, err := openIn(ns, "tun0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if s.Link() != link.TypeRaw {
		t.Errorf("link type of a TUN interface is %v, want Raw", s.Link())
	}
}

// TestBackendsAgree has both backends see the same frames: what they say of them
// must be the same.
func TestBackendsAgree(t *testing.T) {
	host := newStar(t)
	open := func(backend capture.BackendType, name string) *capture.Sniffer {
		t.Helper()
		s, err := openIn(host.here, name, manyBlocks(&capture.Config{Backend: backend, Promiscuous: true}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		if err := s.Activate(nil); err != nil {
			t.Fatal(err)
		}
		return s
	}
	names := []string{"any", "lo", "veth1", "veth2"}
	var rings, messages []*capture.Sniffer
	for _, name := range names {
		rings = append(rings, open(capture.BackendRing, name))
		messages = append(messages, open(capture.BackendMessages, name))
	}
	host.talk(t)
	checksums := map[link.ChecksumStatus]int{}
	for i, name := range names {
		want := describe(drain(t, rings[i]))
		got := drain(t, messages[i])
		for _, f := range got {
			checksums[f.Checksum]++
		}
		if got := describe(got); !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: messages have %d frames and the ring %d", name, len(got), len(want))
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("first difference:\n%s\n%s", got[i], want[i])
					break
				}
			}
		}
	}
	if checksums[link.ChecksumPartial] == 0 || checksums[link.ChecksumUnknown] == 0 {
		t.Errorf("checksums %v: the traffic does not show much", checksums)
	}
}

// describe has a line for every frame, sorted, with all that is known of it but
// the hash, which only a ring has, and the time, which each socket may take for
// itself.
func describe(frames []link.Frame) (lines []string) {
	for _, f := range frames {
		lines = append(lines, fmt.Sprintf("%d %v %v %d %x %x %v %v: %x", f.WireLen, f.TimeSource,
			f.Direction, f.Interface, f.VLANTCI, f.VLANTPID, f.Checksum, f.Flags&^link.InfoHash, f.Data))
	}
	slices.Sort(lines)
	return lines
}

const childEnv = "CAPTURE_TEST_UNPRIVILEGED"

// TestOpenPermission runs itself as nobody.
func TestOpenPermission(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		_, err := capture.Open("lo", nil)
		if !errors.Is(err, os.ErrPermission) || !strings.Contains(fmt.Sprint(err), "sudo setcap cap_net_raw+ep") {
			t.Fatalf("Open = %v, want ErrPermission and what to do", err)
		}
		return
	}
	runAsNobody(t, "^TestOpenPermission$")
}
