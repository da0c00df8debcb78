module github.com/gopkts/gopkts/pkts

go 1.26.0
