module github.com/gopkts/gopkts/cmd

go 1.26.0

require (
	github.com/gopkts/gopkts/capture v0.1.0
	github.com/gopkts/gopkts/common v0.1.0
	github.com/gopkts/gopkts/pkts v0.1.0
	github.com/klauspost/compress v1.20.3
	github.com/pierrec/lz4/v4 v4.1.33
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.0.9
	golang.org/x/term v0.47.0
)

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	golang.org/x/net v0.62.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)
