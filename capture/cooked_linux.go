package capture

import (
	"github.com/gopkts/gopkts/capture/internal/sys"
	"github.com/gopkts/gopkts/common/link"
)

// cookedFor returns the header that frames of a link type get in place of
// their own.
func cookedFor(t link.Type) cookedHeader {
	switch t {
	case link.TypeLinuxSLL2:
		return cookedSLL2
	case link.TypeNetlink:
		return cookedNetlink
	}
	return cookedNone
}

// sys returns the header's kind for the socket that makes it.
func (h cookedHeader) sys() sys.Cooked {
	switch h {
	case cookedNone:
	case cookedSLL2:
		return sys.CookedSLL2
	case cookedNetlink:
		return sys.CookedSLL
	}
	return 0
}
