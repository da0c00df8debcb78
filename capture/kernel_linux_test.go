package capture_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopkts/gopkts/capture"
	"github.com/gopkts/gopkts/capture/capturetest/netns"
)

// TestGoneWhileSending removes an interface under those who send on it, or moves
// it to another namespace. The kernel takes it down first, and tells the first
// one who sends afterwards no more than that.
func TestGoneWhileSending(t *testing.T) {
	for _, backend := range []capture.BackendType{capture.BackendRing, capture.BackendMessages, capture.BackendXDP} {
		for _, how := range []string{"removed", "moved"} {
			t.Run(backend.String()+" "+how, func(t *testing.T) {
				here, there := netns.New(t), netns.New(t)
				netns.Connect(t, here, "veth0", there, "veth0")
				var s *capture.Sniffer
				if err := here.Do(func() (err error) {
					s, err = capture.Open("veth0", &capture.Config{Backend: backend})
					return err
				}); err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				frame := append([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5"), make([]byte, 46)...)
				failed := make(chan error)
				for _, send := range []func() error{
					func() error { return s.Send(frame) },
					func() error { _, err := s.SendBatch([][]byte{frame, frame, frame}); return err },
				} {
					go func() {
						for end := time.Now().Add(time.Minute); ; {
							err := send()
							if errors.Is(err, syscall.ENOBUFS) {
								err = nil // the queue is full for now
							}
							if err != nil || time.Now().After(end) {
								failed <- err
								return
							}
						}
					}()
				}
				time.Sleep(20 * time.Millisecond) // it goes on
				if how == "removed" {
					here.Delete(t, "veth0")
				} else {
					here.Move(t, "veth0", netns.New(t))
				}
				for range 2 {
					if err := <-failed; !errors.Is(err, capture.ErrInterfaceGone) {
						t.Errorf("sending: %v, want ErrInterfaceGone", err)
					}
				}
			})
		}
	}
}

// TestPromiscuous asks the kernel how many want an interface to be promiscuous.
func TestPromiscuous(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	count := func(want string) {
		t.Helper()
		if out := here.Run(t, "ip", "-d", "link", "show", "veth0"); !strings.Contains(out, "promiscuity "+want+" ") {
			t.Errorf("want promiscuity %s: %s", want, out)
		}
	}
	for _, backend := range []capture.BackendType{capture.BackendRing, capture.BackendMessages, capture.BackendXDP} {
		for _, on := range []bool{false, true} {
			var s *capture.Sniffer
			if err := here.Do(func() (err error) {
				s, err = capture.Open("veth0", &capture.Config{Backend: backend, Promiscuous: on})
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if on {
				count("1")
			} else {
				count("0")
			}
			if err := s.Close(); err != nil {
				t.Errorf("%v: %v", backend, err)
			}
			count("0")
		}
	}
}

// TestXDPLock asks the kernel which of the tables of the program nobody can
// change any more: proc_pid_fdinfo(5).
func TestXDPLock(t *testing.T) {
	here, there := netns.New(t), netns.New(t)
	netns.Connect(t, here, "veth0", there, "veth0")
	frozen := func() (all, n int) {
		t.Helper()
		fds, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err != nil || to != "anon_inode:bpf-map" {
				continue
			}
			info, err := os.ReadFile("/proc/self/fdinfo/" + filepath.Base(fd))
			if err != nil {
				t.Fatal(err)
			}
			all++
			if strings.Contains(string(info), "\nfrozen:\t1\n") {
				n++
			}
		}
		return all, n
	}
	var s *capture.Sniffer
	if err := here.Do(func() (err error) {
		s, err = capture.Open("veth0", &capture.Config{Backend: capture.BackendXDP})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Activate(nil); err != nil {
		t.Fatal(err)
	}
	if all, n := frozen(); all == 0 || n != 0 {
		t.Errorf("%d of %d tables are frozen before Lock", n, all)
	}
	if err := s.Lock(); err != nil {
		t.Fatal(err)
	}
	if all, n := frozen(); n != 1 {
		t.Errorf("%d of %d tables are frozen after Lock, want that of the filters", n, all)
	}
}
