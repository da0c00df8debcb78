module github.com/gopkts/gopkts/pkts

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	github.com/gopkts/gopkts/common v0.1.0
	pgregory.net/rapid v1.3.0
)

require (
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
