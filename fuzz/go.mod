module github.com/gopkts/gopkts/fuzz

go 1.26.3

require (
	github.com/gopacket/gopacket v1.7.7
	github.com/gopkts/gopkts/common v0.1.0
	golang.org/x/mod v0.43.0
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.49.0
	golang.org/x/tools v0.52.0
)

require (
	github.com/gopkts/gopkts/capture v0.1.0
	github.com/gopkts/gopkts/pkts v0.1.0
	gvisor.dev/gvisor v0.0.0-20260905035102-160fafc42237
)

require (
	golang.org/x/exp v0.0.0-20250711185948-6ae5c78190dc // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/time v0.15.0 // indirect
)
