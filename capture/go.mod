module github.com/gopkts/gopkts/capture

go 1.26.0
