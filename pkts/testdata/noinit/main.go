// Noinit does nothing but link package pkts, so that the runtime can tell what
// its initialization costs.
package main

import (
	"fmt"

	"github.com/gopkts/gopkts/common/link"
	"github.com/gopkts/gopkts/pkts"
)

func main() {
	var p pkts.Packet
	fmt.Println(p.Decode(link.TypeEthernet, nil))
}
