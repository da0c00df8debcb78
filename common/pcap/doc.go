// Package pcap reads and writes capture files.
//
// # Formats
//
// [Open] and [NewReader] tell the format by its first bytes, never by a name:
//
//   - pcap, with microseconds or nanoseconds, in either byte order, versions
//     2.0 and up, and the variants that share its magic number or have one of
//     their own: Kuznetsov's patches, Nokia, AIX, Ixia (see [Format]);
//   - pcapng, with any number of sections, byte orders, interfaces, link types,
//     and timestamp resolutions;
//   - Sun's snoop, version 2;
//   - all of these compressed by gzip or bzip2, and by zstd, lz4, xz or
//     anything else that [WithDecompressor] is given a function for.
//
// A [Writer] writes pcap and pcapng, a [Rotator] divides what it is given into
// files, and [BlockReader] and [BlockWriter] give access to pcapng's blocks,
// with everything that is in them.
//
// # Reading
//
// [Reader.Frames] is an iterator over frames:
//
//	f, err := pcap.Open("trace.pcapng")
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	for frame, err := range f.Frames() {
//		if err != nil {
//			return err
//		}
//		fmt.Println(frame.Time, frame.Link, len(frame.Data))
//	}
//
// [Reader.Next] does the same into a frame of the caller's, which is a little
// faster. Neither allocates or copies per frame: Data aliases the Reader's
// buffer and is valid until the next frame is read; [link.Frame.Clone] keeps
// it.
//
// Times are in UTC, to the nanosecond. A frame whose record has no time, as in
// pcapng's simple packet block, has the zero time.
//
// # Errors
//
// Whatever is wrong with a file is a [*FormatError] with the offset of the part
// that could not be read, which wraps one of [ErrTruncated], [ErrMalformed],
// [ErrUnknownFormat] and [errors.ErrUnsupported], or what the source returned.
// All frames before that part are delivered first. A file that ends where a
// record ends is not an error: Next returns [io.EOF], and Frames just ends.
//
// Lengths in a file are believed only as far as there are bytes: a record that
// claims 100 MiB makes the buffer grow only while 100 MiB arrive.
//
// Deviations that other programs take are taken here too: captured lengths
// above the file's snap length or the wire length, snap lengths of 0 or more
// than 2 GiB, fractions of a second above one, pcapng blocks whose two lengths
// differ or lack padding.
//
// With [WithRecover] a Reader does not end at damage: it looks for the next
// place where a record makes sense and goes on there, and [Reader.Skips] tells
// what was passed over.
//
// # Live files
//
// [WithFollow] waits for more at the end of a file that is still being written.
// A Reader never waits for more than the next frame needs.
package pcap
