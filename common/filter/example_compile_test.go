package filter_test

import (
	"errors"
	"fmt"

	"github.com/gopkts/gopkts/common/filter"
	"github.com/gopkts/gopkts/common/link"
)

func ExampleCompile() {
	f, err := filter.Compile("udp port 53 or 5353 and not broadcast", filter.Options{Link: link.TypeEthernet})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f)
	fmt.Println(f.Len(), "instructions")
	// Output:
	// (udp port 53 or udp port 5353) and not broadcast
	// 27 instructions
}

// An error says where it is.
func ExampleError_Caret() {
	_, err := filter.Compile("ip and prot 80", filter.Options{Link: link.TypeEthernet})
	if e, ok := errors.AsType[*filter.Error](err); ok {
		fmt.Println(e)
		fmt.Print(e.Caret())
	}
	// Output:
	// filter: column 8: no qualifier before name 'prot' to say what it is; did you mean 'port'?
	// ip and prot 80
	//        ^^^^
}

func ExampleParse() {
	n, err := filter.Parse("src host not (a or b) and tcp[13] & 7 = 2")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(filter.Tree(n))
	// Output:
	// and
	//   not
	//     or
	//       src host a
	//       src host b
	//   =
	//     &
	//       tcp[13]
	//       7
	//     2
}
