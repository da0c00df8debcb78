module github.com/gopkts/gopkts/common

go 1.26.0
