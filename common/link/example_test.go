package link_test

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/gopkts/gopkts/common/link"
)

func ExampleParseMac() {
	for _, s := range []string{"00:1A:2B:3C:4D:5E", "001a.2b3c.4d5e", "0:1a:2b:3c:4d:5e", "00:1a-2b:3c:4d:5e"} {
		fmt.Println(link.ParseMac(s))
	}
	// Output:
	// 00:1a:2b:3c:4d:5e <nil>
	// 00:1a:2b:3c:4d:5e <nil>
	// 00:1a:2b:3c:4d:5e <nil>
	// 00:00:00:00:00:00 link: bad MAC address "00:1a-2b:3c:4d:5e": at offset 5: mixed separators
}

func ExampleMulticastMac() {
	mac, ok := link.MulticastMac(netip.MustParseAddr("ff02::fb"))
	fmt.Println(mac, ok)
	// Output: 33:33:00:00:00:fb true
}

func ExampleParseType() {
	for _, s := range []string{"ETHERNET", "DLT_EN10MB", "linktype_linux_sll2", "101"} {
		t, err := link.ParseType(s)
		fmt.Println(uint16(t), t, err)
	}
	// Output:
	// 1 ETHERNET <nil>
	// 1 ETHERNET <nil>
	// 276 LINUX_SLL2 <nil>
	// 101 RAW <nil>
}

// Raw IP has another DLT_ number on OpenBSD than elsewhere, and one LINKTYPE_
// number in files.
func ExampleTypeFromDLT() {
	fmt.Println(link.TypeFromDLT("openbsd", 14))
	fmt.Println(link.TypeFromDLT("linux", 12))
	fmt.Println(link.TypeFromDLT("openbsd", 12))
	// Output:
	// RAW true
	// RAW true
	// LOOP true
}

func ExampleInterfaceByName() {
	_, err := link.InterfaceByName("no such interface")
	fmt.Println(errors.Is(err, link.ErrNoInterface) || errors.Is(err, errors.ErrUnsupported))
	// Output: true
}

func ExampleInterfaces() {
	all, err := link.Interfaces()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range all {
		fmt.Println(i.Index, i.Name, i.MAC, i.MTU, i.Flags, i.Link, i.Addrs)
	}
}

// A frame's data belong to the producer until the next read; Clone keeps them.
func ExampleFrame_Clone() {
	buffer := []byte{0xde, 0xad}
	f := link.Frame{Data: buffer, Info: link.Info{WireLen: 60, Link: link.TypeEthernet}}
	kept := f.Clone()
	copy(buffer, "\x00\x00") // the producer reads the next frame
	fmt.Printf("%x %v %v\n", kept.Data, kept.Truncated(), kept.Link)
	// Output: dead true ETHERNET
}
