package afpacket_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gopkts/gopkts/capture/afpacket"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
)

// childEnv says that this process is one that a test has started.
const childEnv = "GOPKTS_TEST_CHILD"

// TestWithoutAdmin runs itself as a process that has CAP_NET_RAW and nothing
// else.
func TestWithoutAdmin(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		withoutAdmin(t)
		return
	}
	ns := netns.New(t)
	dir, err := os.MkdirTemp("", "afpacket-test") //nolint:usetesting // others may not enter T.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// The go command keeps its own copy where only we may look.
	program := filepath.Join(dir, "afpacket.test")
	if err := copyProgram(program); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cmd := exec.CommandContext(t.Context(), program, "-test.run", "^TestWithoutAdmin$", "-test.v")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = append(os.Environ(), childEnv+"=1")
	const capNetRaw = 13
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: []uintptr{capNetRaw},
	}
	if err := ns.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "--- PASS: TestWithoutAdmin") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func copyProgram(to string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := os.Open(self)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func withoutAdmin(t *testing.T) {
	for _, c := range []struct {
		cfg  afpacket.Config
		want string
	}{
		{afpacket.Config{ReadBuffer: 1 << 30}, "net.core.rmem_max"},
		{afpacket.Config{WriteBuffer: 1 << 30}, "net.core.wmem_max"},
		{afpacket.Config{PreferBusyPoll: true}, "CAP_NET_ADMIN"},
		{afpacket.Config{BusyPollBudget: 100}, "CAP_NET_ADMIN"},
	} {
		s, err := afpacket.Open(afpacket.KindL2, &c.cfg)
		if err == nil {
			s.Close()
			t.Errorf("%+v: no error", c.cfg)
			continue
		}
		wantErr(t, "Open", err, os.ErrPermission)
		if !strings.Contains(err.Error(), c.want) {
			t.Errorf("the error does not say %s: %v", c.want, err)
		}
	}
	// What the system allows to everybody.
	s, err := afpacket.Open(afpacket.KindL2, &afpacket.Config{ReadBuffer: 64 << 10, WriteBuffer: 64 << 10, Priority: 7, Mark: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Bind("lo", afpacket.EtherTypeAll); err != nil {
		t.Fatal(err)
	}
	if got := intOption(t, s, syscall.SOL_SOCKET, syscall.SO_RCVBUF); got != 64<<10 {
		t.Errorf("SO_RCVBUF is %d, want %d", got, 64<<10)
	}
	_, err = s.SetDeviceStamps(afpacket.DeviceStamps{Receive: afpacket.StampAll})
	wantErr(t, "SetDeviceStamps", err, os.ErrPermission)
	if err != nil && !strings.Contains(err.Error(), "CAP_NET_ADMIN") {
		t.Errorf("no advice in: %v", err)
	}
}
