// Package all names every protocol of this module, those in packages of their
// own included. A program that imports it carries them all.
package all

import (
	"github.com/gopkts/gopkts/pkts"
	"github.com/gopkts/gopkts/pkts/sctp"
)

// Registry returns [pkts.Default] with the protocols of all packages of this
// module, at the numbers that announce them. Protocols that are found at a port
// are not bound to it: a port is a guess.
//
// It makes a new one each time: keep it.
func Registry() *pkts.Registry { return pkts.Default.With(sctp.Bindings()...) }
