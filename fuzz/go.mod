module github.com/gopkts/gopkts/fuzz

go 1.26.0
