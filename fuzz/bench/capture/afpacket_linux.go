package main

// addRingReceiver and addRingSender add what package capture/afpacket does with
// rings, where there is one.
func addRingReceiver(map[string]func(string, int) (receiver, error)) {}

func addRingSender(map[string]func(string, []byte) (sender, error)) {}
