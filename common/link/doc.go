// Package link holds the values that the capture half and the packet half of
// gopkts exchange: a captured [Frame] and its [Info], the link [Type] that
// says how its first byte is read, a [MacAddr], and the [Interface] it came
// from.
//
// The package has no state and does no input or output, except for
// [Interfaces], [InterfaceByName] and [InterfaceByIndex], which ask the
// operating system.
package link
