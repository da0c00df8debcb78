//go:build !libpcap || !cgo

package bench_test

import (
	"testing"

	"github.com/gopkts/gopkts/common/filter"
)

func benchmarkLibpcapFilter(*testing.B, string, filter.Program, [][]byte) {}
