package filter_test

import (
	"encoding/binary"
	"fmt"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
)

// The form of tcpdump -d, by hand.
func ExampleAssemble() {
	p, err := filter.Assemble(`
		ldh  [12]              ; EtherType
		jeq  #0x0806 jt arp
		ret  #0
	arp:	ret  #262144`)
	fmt.Println(err)
	fmt.Print(p.Format(filter.FormDecimal))
	_, err = filter.Assemble("ldh [12]\njeg #0x0806 jt 2 jf 3")
	fmt.Println(err)
	// Output:
	// <nil>
	// 4
	// 40 0 0 12
	// 21 1 0 2054
	// 6 0 0 0
	// 6 0 0 262144
	// filter: line 2, column 1: no such operation: "jeg"
}

func ExampleVM_RunFrame() {
	p, err := filter.Assemble("ldb [vlanp]\njeq #1 jf 3\nret #1\nret #0")
	if err != nil {
		fmt.Println(err)
		return
	}
	vm, err := filter.NewVM(p, filter.VMOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f := link.Frame{Data: make([]byte, 60), Info: link.Info{WireLen: 60, Link: link.TypeEthernet}}
	fmt.Println(vm.RunFrame(&f))
	f.Flags, f.VLANTCI = link.InfoVLAN, 100
	fmt.Println(vm.RunFrame(&f))
	// Output:
	// 0
	// 1
}

func ExampleProgram_XDP() {
	f, err := filter.Compile("udp port 53", filter.Options{Link: link.TypeEthernet})
	if err != nil {
		fmt.Println(err)
		return
	}
	x, err := f.Program().XDP(filter.XDPOptions{Accept: filter.XDPPass, Reject: filter.XDPDrop})
	if err != nil {
		fmt.Println(err)
		return
	}
	code := x.AppendTo(nil, binary.NativeEndian) // for BPF_PROG_LOAD
	fmt.Println(len(code) == 8*len(x))
	// Output: true
}
