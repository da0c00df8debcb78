package filter

import "golang.org/x/net/bpf"

type Program []bpf.RawInstruction
