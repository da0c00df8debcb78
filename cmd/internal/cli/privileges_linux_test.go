package cli

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/gopkts/gopkts/capture"
)

// asNobody in the environment makes the test binary a program that gives its
// privileges up and then tries to use them.
const asNobody = "PKTS_TEST_AS_NOBODY"

// openAsNobody prints whether an interface could be opened before, whether it
// can be afterwards, and whether there is no way back.
func openAsNobody(iface string) int {
	s, err := capture.Open(iface, nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer s.Close()
	who, err := lookUpAccount("nobody")
	if err == nil {
		err = who.become()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	_, again := capture.Open(iface, nil)
	back := syscall.Setuid(0)
	fmt.Println(s.Activate(nil) == nil, !errors.Is(again, os.ErrPermission), errors.Is(back, os.ErrPermission))
	return 0
}
