module github.com/gopkts/gopkts/cmd

go 1.26.0
