package sctp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/gopkts/gopkts/pkts"
)

// offBody is where what a chunk has beside its type, flags and length begins.
const offBody = chunkHeaderLen

// FlagTag is the T flag of [Abort] and [ShutdownComplete]: the verification tag
// is that of the packet that is answered, not that of its receiver.
const FlagTag = 1

// Heartbeat is a HEARTBEAT chunk, RFC 9260, section 3.3.5: it asks whether an
// address of the peer can be reached. What it carries, a [ParamHeartbeatInfo],
// means something to its sender alone.
type Heartbeat struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	Params Params            // aliases the packet after decoding
}

var _ pkts.Completer = (*Heartbeat)(nil)

var heartbeatProtocol = pkts.Protocol{
	Name:  "SCTP HEARTBEAT",
	New:   pkts.New[Heartbeat],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*Heartbeat); c.Params = slices.Clone(c.Params); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP HEARTBEAT", b, 4) },
	At:    []pkts.Selector{ByChunkType(TypeHeartbeat)},
	Fields: chunkFields(
		pkts.Field{Name: "Params", Bit: offBody * 8},
	),
}

// Proto returns the descriptor of HEARTBEAT.
func (*Heartbeat) Proto() *pkts.Protocol { return &heartbeatProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *Heartbeat) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP HEARTBEAT", b, 4)
	if err != nil {
		return 0, err
	}
	v := HeartbeatView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Params = Params(b[offBody:n:n])
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *Heartbeat) AppendBinary(b []byte) ([]byte, error) {
	return append(appendChunk(b, TypeHeartbeat, l.Flags, l.Length), l.Params...), nil
}

// Complete computes Length.
func (l *Heartbeat) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *Heartbeat) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypeHeartbeat) }

// HeartbeatView is a HEARTBEAT chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type HeartbeatView []byte

// Proto returns the descriptor of HEARTBEAT.
func (HeartbeatView) Proto() *pkts.Protocol { return &heartbeatProtocol }

func (v HeartbeatView) Flags() uint8   { return v[chunkOffFlags] }
func (v HeartbeatView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

// Params returns what Length counts, as far as it is there.
func (v HeartbeatView) Params() Params {
	return Params(v[offBody:max(offBody, min(int(v.Length()), len(v)))])
}

func (v HeartbeatView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v HeartbeatView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// HeartbeatAck is a HEARTBEAT ACK chunk, RFC 9260, section 3.3.6: it carries what
// the [Heartbeat] carried.
type HeartbeatAck struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	Params Params            // aliases the packet after decoding
}

var _ pkts.Completer = (*HeartbeatAck)(nil)

var heartbeatAckProtocol = pkts.Protocol{
	Name:  "SCTP HEARTBEAT ACK",
	New:   pkts.New[HeartbeatAck],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*HeartbeatAck); c.Params = slices.Clone(c.Params); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP HEARTBEAT ACK", b, 4) },
	At:    []pkts.Selector{ByChunkType(TypeHeartbeatAck)},
	Fields: chunkFields(
		pkts.Field{Name: "Params", Bit: offBody * 8},
	),
}

// Proto returns the descriptor of HEARTBEAT ACK.
func (*HeartbeatAck) Proto() *pkts.Protocol { return &heartbeatAckProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *HeartbeatAck) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP HEARTBEAT ACK", b, 4)
	if err != nil {
		return 0, err
	}
	v := HeartbeatAckView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Params = Params(b[offBody:n:n])
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *HeartbeatAck) AppendBinary(b []byte) ([]byte, error) {
	return append(appendChunk(b, TypeHeartbeatAck, l.Flags, l.Length), l.Params...), nil
}

// Complete computes Length.
func (l *HeartbeatAck) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *HeartbeatAck) AppendSummary(b []byte, _ pkts.Node) []byte {
	return appendType(b, TypeHeartbeatAck)
}

// HeartbeatAckView is a HEARTBEAT ACK chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type HeartbeatAckView []byte

// Proto returns the descriptor of HEARTBEAT ACK.
func (HeartbeatAckView) Proto() *pkts.Protocol { return &heartbeatAckProtocol }

func (v HeartbeatAckView) Flags() uint8   { return v[chunkOffFlags] }
func (v HeartbeatAckView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

// Params returns what Length counts, as far as it is there.
func (v HeartbeatAckView) Params() Params {
	return Params(v[offBody:max(offBody, min(int(v.Length()), len(v)))])
}

func (v HeartbeatAckView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v HeartbeatAckView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// Abort is an ABORT chunk, RFC 9260, section 3.3.7: it ends the association at
// once. Its flag is [FlagTag].
type Abort struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	Causes Causes            // aliases the packet after decoding
}

var _ pkts.Completer = (*Abort)(nil)

var abortProtocol = pkts.Protocol{
	Name:  "SCTP ABORT",
	New:   pkts.New[Abort],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*Abort); c.Causes = slices.Clone(c.Causes); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP ABORT", b, 4) },
	At:    []pkts.Selector{ByChunkType(TypeAbort)},
	Fields: chunkFields(
		pkts.Field{Name: "Causes", Bit: offBody * 8},
	),
}

// Proto returns the descriptor of ABORT.
func (*Abort) Proto() *pkts.Protocol { return &abortProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *Abort) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP ABORT", b, 4)
	if err != nil {
		return 0, err
	}
	v := AbortView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Causes = Causes(b[offBody:n:n])
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *Abort) AppendBinary(b []byte) ([]byte, error) {
	return append(appendChunk(b, TypeAbort, l.Flags, l.Length), l.Causes...), nil
}

// Complete computes Length.
func (l *Abort) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type and what the chunk says.
func (l *Abort) AppendSummary(b []byte, _ pkts.Node) []byte {
	b = appendType(b, TypeAbort)
	for _, c := range l.Causes.All() {
		b = fmt.Appendf(b, " [%v]", c.Code)
	}
	return b
}

// AbortView is an ABORT chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type AbortView []byte

// Proto returns the descriptor of ABORT.
func (AbortView) Proto() *pkts.Protocol { return &abortProtocol }

func (v AbortView) Flags() uint8   { return v[chunkOffFlags] }
func (v AbortView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

// Causes returns what Length counts, as far as it is there.
func (v AbortView) Causes() Causes {
	return Causes(v[offBody:max(offBody, min(int(v.Length()), len(v)))])
}

func (v AbortView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v AbortView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// Error is an ERROR chunk, RFC 9260, section 3.3.10: it says what was wrong with
// what was received.
type Error struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	Causes Causes            // aliases the packet after decoding
}

var _ pkts.Completer = (*Error)(nil)

var errorProtocol = pkts.Protocol{
	Name:  "SCTP ERROR",
	New:   pkts.New[Error],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*Error); c.Causes = slices.Clone(c.Causes); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP ERROR", b, 4) },
	At:    []pkts.Selector{ByChunkType(TypeError)},
	Fields: chunkFields(
		pkts.Field{Name: "Causes", Bit: offBody * 8},
	),
}

// Proto returns the descriptor of ERROR.
func (*Error) Proto() *pkts.Protocol { return &errorProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *Error) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP ERROR", b, 4)
	if err != nil {
		return 0, err
	}
	v := ErrorView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Causes = Causes(b[offBody:n:n])
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *Error) AppendBinary(b []byte) ([]byte, error) {
	return append(appendChunk(b, TypeError, l.Flags, l.Length), l.Causes...), nil
}

// Complete computes Length.
func (l *Error) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type and what the chunk says.
func (l *Error) AppendSummary(b []byte, _ pkts.Node) []byte {
	b = appendType(b, TypeError)
	for _, c := range l.Causes.All() {
		b = fmt.Appendf(b, " [%v]", c.Code)
	}
	return b
}

// ErrorView is an ERROR chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type ErrorView []byte

// Proto returns the descriptor of ERROR.
func (ErrorView) Proto() *pkts.Protocol { return &errorProtocol }

func (v ErrorView) Flags() uint8   { return v[chunkOffFlags] }
func (v ErrorView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

// Causes returns what Length counts, as far as it is there.
func (v ErrorView) Causes() Causes {
	return Causes(v[offBody:max(offBody, min(int(v.Length()), len(v)))])
}

func (v ErrorView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v ErrorView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// Shutdown is a SHUTDOWN chunk, RFC 9260, section 3.3.8: the sender has no more to
// say.
type Shutdown struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	CumTSN uint32            // everything up to this one has arrived
}

var _ pkts.Completer = (*Shutdown)(nil)

var shutdownProtocol = pkts.Protocol{
	Name:  "SCTP SHUTDOWN",
	New:   pkts.New[Shutdown],
	Clone: pkts.Clone[Shutdown],
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return fixedSpan("SCTP SHUTDOWN", b, 8) },
	At:    []pkts.Selector{ByChunkType(TypeShutdown)},
	Fields: chunkFields(
		pkts.Field{Name: "CumTSN", Bit: offBody * 8, Bits: 32},
	),
}

// Proto returns the descriptor of SHUTDOWN.
func (*Shutdown) Proto() *pkts.Protocol { return &shutdownProtocol }

// Decode fills l from the start of b, 8 bytes.
func (l *Shutdown) Decode(b []byte) (int, error) {
	if _, err := chunkLen("SCTP SHUTDOWN", b, 8); err != nil {
		return 0, err
	}
	v := ShutdownView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.CumTSN = v.CumTSN()
	return 8, nil
}

// AppendBinary appends the chunk to b.
func (l *Shutdown) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(appendChunk(b, TypeShutdown, l.Flags, l.Length), l.CumTSN), nil
}

// Complete computes Length.
func (l *Shutdown) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *Shutdown) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypeShutdown) }

// ShutdownView is a SHUTDOWN chunk in place. Its methods panic when it is shorter
// than 8 bytes: those that [pkts.View] returns are not.
type ShutdownView []byte

// Proto returns the descriptor of SHUTDOWN.
func (ShutdownView) Proto() *pkts.Protocol { return &shutdownProtocol }

func (v ShutdownView) Flags() uint8   { return v[chunkOffFlags] }
func (v ShutdownView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v ShutdownView) CumTSN() uint32 { return binary.BigEndian.Uint32(v[offBody:]) }

func (v ShutdownView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v ShutdownView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v ShutdownView) SetCumTSN(n uint32) { binary.BigEndian.PutUint32(v[offBody:], n) }

// ShutdownAck is a SHUTDOWN ACK chunk, RFC 9260, section 3.3.9.
type ShutdownAck struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
}

var _ pkts.Completer = (*ShutdownAck)(nil)

var shutdownAckProtocol = pkts.Protocol{
	Name:   "SCTP SHUTDOWN ACK",
	New:    pkts.New[ShutdownAck],
	Clone:  pkts.Clone[ShutdownAck],
	Index:  func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return fixedSpan("SCTP SHUTDOWN ACK", b, 4) },
	At:     []pkts.Selector{ByChunkType(TypeShutdownAck)},
	Fields: chunkFields(),
}

// Proto returns the descriptor of SHUTDOWN ACK.
func (*ShutdownAck) Proto() *pkts.Protocol { return &shutdownAckProtocol }

// Decode fills l from the start of b, 4 bytes.
func (l *ShutdownAck) Decode(b []byte) (int, error) {
	if _, err := chunkLen("SCTP SHUTDOWN ACK", b, 4); err != nil {
		return 0, err
	}
	v := ShutdownAckView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	return 4, nil
}

// AppendBinary appends the chunk to b.
func (l *ShutdownAck) AppendBinary(b []byte) ([]byte, error) {
	return appendChunk(b, TypeShutdownAck, l.Flags, l.Length), nil
}

// Complete computes Length.
func (l *ShutdownAck) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *ShutdownAck) AppendSummary(b []byte, _ pkts.Node) []byte {
	return appendType(b, TypeShutdownAck)
}

// ShutdownAckView is a SHUTDOWN ACK chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type ShutdownAckView []byte

// Proto returns the descriptor of SHUTDOWN ACK.
func (ShutdownAckView) Proto() *pkts.Protocol { return &shutdownAckProtocol }

func (v ShutdownAckView) Flags() uint8   { return v[chunkOffFlags] }
func (v ShutdownAckView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

func (v ShutdownAckView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v ShutdownAckView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// ShutdownComplete is a SHUTDOWN COMPLETE chunk, RFC 9260, section 3.3.13. Its flag
// is [FlagTag].
type ShutdownComplete struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
}

var _ pkts.Completer = (*ShutdownComplete)(nil)

var shutdownCompleteProtocol = pkts.Protocol{
	Name:   "SCTP SHUTDOWN COMPLETE",
	New:    pkts.New[ShutdownComplete],
	Clone:  pkts.Clone[ShutdownComplete],
	Index:  func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return fixedSpan("SCTP SHUTDOWN COMPLETE", b, 4) },
	At:     []pkts.Selector{ByChunkType(TypeShutdownComplete)},
	Fields: chunkFields(),
}

// Proto returns the descriptor of SHUTDOWN COMPLETE.
func (*ShutdownComplete) Proto() *pkts.Protocol { return &shutdownCompleteProtocol }

// Decode fills l from the start of b, 4 bytes.
func (l *ShutdownComplete) Decode(b []byte) (int, error) {
	if _, err := chunkLen("SCTP SHUTDOWN COMPLETE", b, 4); err != nil {
		return 0, err
	}
	v := ShutdownCompleteView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	return 4, nil
}

// AppendBinary appends the chunk to b.
func (l *ShutdownComplete) AppendBinary(b []byte) ([]byte, error) {
	return appendChunk(b, TypeShutdownComplete, l.Flags, l.Length), nil
}

// Complete computes Length.
func (l *ShutdownComplete) Complete(c *pkts.Completion) error {
	return completeChunk(c, l.Length.Mode())
}

// AppendSummary appends the type.
func (l *ShutdownComplete) AppendSummary(b []byte, _ pkts.Node) []byte {
	return appendType(b, TypeShutdownComplete)
}

// ShutdownCompleteView is a SHUTDOWN COMPLETE chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type ShutdownCompleteView []byte

// Proto returns the descriptor of SHUTDOWN COMPLETE.
func (ShutdownCompleteView) Proto() *pkts.Protocol { return &shutdownCompleteProtocol }

func (v ShutdownCompleteView) Flags() uint8   { return v[chunkOffFlags] }
func (v ShutdownCompleteView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

func (v ShutdownCompleteView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v ShutdownCompleteView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// CookieEcho is a COOKIE ECHO chunk, RFC 9260, section 3.3.11: it returns the State
// Cookie of the [InitAck].
type CookieEcho struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	Cookie []byte            // aliases the packet after decoding
}

var _ pkts.Completer = (*CookieEcho)(nil)

var cookieEchoProtocol = pkts.Protocol{
	Name:  "SCTP COOKIE ECHO",
	New:   pkts.New[CookieEcho],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*CookieEcho); c.Cookie = slices.Clone(c.Cookie); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP COOKIE ECHO", b, 4) },
	At:    []pkts.Selector{ByChunkType(TypeCookieEcho)},
	Fields: chunkFields(
		pkts.Field{Name: "Cookie", Bit: offBody * 8},
	),
}

// Proto returns the descriptor of COOKIE ECHO.
func (*CookieEcho) Proto() *pkts.Protocol { return &cookieEchoProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *CookieEcho) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP COOKIE ECHO", b, 4)
	if err != nil {
		return 0, err
	}
	v := CookieEchoView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Cookie = b[offBody:n:n]
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *CookieEcho) AppendBinary(b []byte) ([]byte, error) {
	return append(appendChunk(b, TypeCookieEcho, l.Flags, l.Length), l.Cookie...), nil
}

// Complete computes Length.
func (l *CookieEcho) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *CookieEcho) AppendSummary(b []byte, _ pkts.Node) []byte {
	return appendType(b, TypeCookieEcho)
}

// CookieEchoView is a COOKIE ECHO chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type CookieEchoView []byte

// Proto returns the descriptor of COOKIE ECHO.
func (CookieEchoView) Proto() *pkts.Protocol { return &cookieEchoProtocol }

func (v CookieEchoView) Flags() uint8   { return v[chunkOffFlags] }
func (v CookieEchoView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

// Cookie returns what Length counts, as far as it is there.
func (v CookieEchoView) Cookie() []byte { return v[offBody:max(offBody, min(int(v.Length()), len(v)))] }

func (v CookieEchoView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v CookieEchoView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// CookieAck is a COOKIE ACK chunk, RFC 9260, section 3.3.12.
type CookieAck struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
}

var _ pkts.Completer = (*CookieAck)(nil)

var cookieAckProtocol = pkts.Protocol{
	Name:   "SCTP COOKIE ACK",
	New:    pkts.New[CookieAck],
	Clone:  pkts.Clone[CookieAck],
	Index:  func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return fixedSpan("SCTP COOKIE ACK", b, 4) },
	At:     []pkts.Selector{ByChunkType(TypeCookieAck)},
	Fields: chunkFields(),
}

// Proto returns the descriptor of COOKIE ACK.
func (*CookieAck) Proto() *pkts.Protocol { return &cookieAckProtocol }

// Decode fills l from the start of b, 4 bytes.
func (l *CookieAck) Decode(b []byte) (int, error) {
	if _, err := chunkLen("SCTP COOKIE ACK", b, 4); err != nil {
		return 0, err
	}
	v := CookieAckView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	return 4, nil
}

// AppendBinary appends the chunk to b.
func (l *CookieAck) AppendBinary(b []byte) ([]byte, error) {
	return appendChunk(b, TypeCookieAck, l.Flags, l.Length), nil
}

// Complete computes Length.
func (l *CookieAck) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *CookieAck) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypeCookieAck) }

// CookieAckView is a COOKIE ACK chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type CookieAckView []byte

// Proto returns the descriptor of COOKIE ACK.
func (CookieAckView) Proto() *pkts.Protocol { return &cookieAckProtocol }

func (v CookieAckView) Flags() uint8   { return v[chunkOffFlags] }
func (v CookieAckView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

func (v CookieAckView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v CookieAckView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// ECNE is an ECN-Echo chunk, RFC 9260, appendix A: a packet was marked as congested
// on its way.
type ECNE struct {
	Flags     uint8
	Length    pkts.Auto[uint16] // in bytes, without padding
	LowestTSN uint32            // of that packet
}

var _ pkts.Completer = (*ECNE)(nil)

var ecneProtocol = pkts.Protocol{
	Name:  "SCTP ECNE",
	New:   pkts.New[ECNE],
	Clone: pkts.Clone[ECNE],
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return fixedSpan("SCTP ECNE", b, 8) },
	At:    []pkts.Selector{ByChunkType(TypeECNE)},
	Fields: chunkFields(
		pkts.Field{Name: "LowestTSN", Bit: offBody * 8, Bits: 32},
	),
}

// Proto returns the descriptor of ECNE.
func (*ECNE) Proto() *pkts.Protocol { return &ecneProtocol }

// Decode fills l from the start of b, 8 bytes.
func (l *ECNE) Decode(b []byte) (int, error) {
	if _, err := chunkLen("SCTP ECNE", b, 8); err != nil {
		return 0, err
	}
	v := ECNEView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.LowestTSN = v.LowestTSN()
	return 8, nil
}

// AppendBinary appends the chunk to b.
func (l *ECNE) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(appendChunk(b, TypeECNE, l.Flags, l.Length), l.LowestTSN), nil
}

// Complete computes Length.
func (l *ECNE) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *ECNE) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypeECNE) }

// ECNEView is an ECNE chunk in place. Its methods panic when it is shorter
// than 8 bytes: those that [pkts.View] returns are not.
type ECNEView []byte

// Proto returns the descriptor of ECNE.
func (ECNEView) Proto() *pkts.Protocol { return &ecneProtocol }

func (v ECNEView) Flags() uint8      { return v[chunkOffFlags] }
func (v ECNEView) Length() uint16    { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v ECNEView) LowestTSN() uint32 { return binary.BigEndian.Uint32(v[offBody:]) }

func (v ECNEView) SetFlags(f uint8)      { v[chunkOffFlags] = f }
func (v ECNEView) SetLength(n uint16)    { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v ECNEView) SetLowestTSN(n uint32) { binary.BigEndian.PutUint32(v[offBody:], n) }

// CWR is a Congestion Window Reduced chunk, RFC 9260, appendix A: it answers an
// [ECNE].
type CWR struct {
	Flags     uint8
	Length    pkts.Auto[uint16] // in bytes, without padding
	LowestTSN uint32            // of the answered chunk
}

var _ pkts.Completer = (*CWR)(nil)

var cwrProtocol = pkts.Protocol{
	Name:  "SCTP CWR",
	New:   pkts.New[CWR],
	Clone: pkts.Clone[CWR],
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return fixedSpan("SCTP CWR", b, 8) },
	At:    []pkts.Selector{ByChunkType(TypeCWR)},
	Fields: chunkFields(
		pkts.Field{Name: "LowestTSN", Bit: offBody * 8, Bits: 32},
	),
}

// Proto returns the descriptor of CWR.
func (*CWR) Proto() *pkts.Protocol { return &cwrProtocol }

// Decode fills l from the start of b, 8 bytes.
func (l *CWR) Decode(b []byte) (int, error) {
	if _, err := chunkLen("SCTP CWR", b, 8); err != nil {
		return 0, err
	}
	v := CWRView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.LowestTSN = v.LowestTSN()
	return 8, nil
}

// AppendBinary appends the chunk to b.
func (l *CWR) AppendBinary(b []byte) ([]byte, error) {
	return binary.BigEndian.AppendUint32(appendChunk(b, TypeCWR, l.Flags, l.Length), l.LowestTSN), nil
}

// Complete computes Length.
func (l *CWR) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *CWR) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypeCWR) }

// CWRView is a CWR chunk in place. Its methods panic when it is shorter
// than 8 bytes: those that [pkts.View] returns are not.
type CWRView []byte

// Proto returns the descriptor of CWR.
func (CWRView) Proto() *pkts.Protocol { return &cwrProtocol }

func (v CWRView) Flags() uint8      { return v[chunkOffFlags] }
func (v CWRView) Length() uint16    { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v CWRView) LowestTSN() uint32 { return binary.BigEndian.Uint32(v[offBody:]) }

func (v CWRView) SetFlags(f uint8)      { v[chunkOffFlags] = f }
func (v CWRView) SetLength(n uint16)    { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v CWRView) SetLowestTSN(n uint32) { binary.BigEndian.PutUint32(v[offBody:], n) }

// Auth is an AUTH chunk, RFC 4895, section 4.1: it authenticates the chunks behind
// it. The library verifies nothing.
type Auth struct {
	Flags       uint8
	Length      pkts.Auto[uint16] // in bytes, without padding
	SharedKeyID uint16
	HMACID      uint16 // 1 SHA-1, 3 SHA-256
	HMAC        []byte // aliases the packet after decoding
}

var _ pkts.Completer = (*Auth)(nil)

var authProtocol = pkts.Protocol{
	Name:  "SCTP AUTH",
	New:   pkts.New[Auth],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*Auth); c.HMAC = slices.Clone(c.HMAC); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP AUTH", b, 8) },
	At:    []pkts.Selector{ByChunkType(TypeAuth)},
	Fields: chunkFields(
		pkts.Field{Name: "SharedKeyID", Bit: offBody * 8, Bits: 16},
		pkts.Field{Name: "HMACID", Bit: (offBody + 2) * 8, Bits: 16},
		pkts.Field{Name: "HMAC", Bit: (offBody + 4) * 8},
	),
}

// Proto returns the descriptor of AUTH.
func (*Auth) Proto() *pkts.Protocol { return &authProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *Auth) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP AUTH", b, 8)
	if err != nil {
		return 0, err
	}
	v := AuthView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.SharedKeyID = v.SharedKeyID()
	l.HMACID = v.HMACID()
	l.HMAC = b[offBody+4 : n : n]
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *Auth) AppendBinary(b []byte) ([]byte, error) {
	return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(appendChunk(b, TypeAuth, l.Flags, l.Length), l.SharedKeyID), l.HMACID), l.HMAC...), nil
}

// Complete computes Length.
func (l *Auth) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *Auth) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypeAuth) }

// AuthView is an AUTH chunk in place. Its methods panic when it is shorter
// than 8 bytes: those that [pkts.View] returns are not.
type AuthView []byte

// Proto returns the descriptor of AUTH.
func (AuthView) Proto() *pkts.Protocol { return &authProtocol }

func (v AuthView) Flags() uint8        { return v[chunkOffFlags] }
func (v AuthView) Length() uint16      { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v AuthView) SharedKeyID() uint16 { return binary.BigEndian.Uint16(v[offBody:]) }
func (v AuthView) HMACID() uint16      { return binary.BigEndian.Uint16(v[offBody+2:]) }

// HMAC returns what Length counts, as far as it is there.
func (v AuthView) HMAC() []byte { return v[offBody+4 : max(offBody+4, min(int(v.Length()), len(v)))] }

func (v AuthView) SetFlags(f uint8)        { v[chunkOffFlags] = f }
func (v AuthView) SetLength(n uint16)      { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v AuthView) SetSharedKeyID(n uint16) { binary.BigEndian.PutUint16(v[offBody:], n) }
func (v AuthView) SetHMACID(n uint16)      { binary.BigEndian.PutUint16(v[offBody+2:], n) }

// Asconf is an ASCONF chunk, RFC 5061, section 4.1.1: it asks for addresses to be
// added to, or deleted from, the association. The first parameter is an address
// of the sender, the others are requests: see [Param.Address].
type Asconf struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	Serial uint32
	Params Params // aliases the packet after decoding
}

var _ pkts.Completer = (*Asconf)(nil)

var asconfProtocol = pkts.Protocol{
	Name:  "SCTP ASCONF",
	New:   pkts.New[Asconf],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*Asconf); c.Params = slices.Clone(c.Params); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP ASCONF", b, 8) },
	At:    []pkts.Selector{ByChunkType(TypeAsconf)},
	Fields: chunkFields(
		pkts.Field{Name: "Serial", Bit: offBody * 8, Bits: 32},
		pkts.Field{Name: "Params", Bit: (offBody + 4) * 8},
	),
}

// Proto returns the descriptor of ASCONF.
func (*Asconf) Proto() *pkts.Protocol { return &asconfProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *Asconf) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP ASCONF", b, 8)
	if err != nil {
		return 0, err
	}
	v := AsconfView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Serial = v.Serial()
	l.Params = Params(b[offBody+4 : n : n])
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *Asconf) AppendBinary(b []byte) ([]byte, error) {
	return append(binary.BigEndian.AppendUint32(appendChunk(b, TypeAsconf, l.Flags, l.Length), l.Serial), l.Params...), nil
}

// Complete computes Length.
func (l *Asconf) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *Asconf) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypeAsconf) }

// AsconfView is an ASCONF chunk in place. Its methods panic when it is shorter
// than 8 bytes: those that [pkts.View] returns are not.
type AsconfView []byte

// Proto returns the descriptor of ASCONF.
func (AsconfView) Proto() *pkts.Protocol { return &asconfProtocol }

func (v AsconfView) Flags() uint8   { return v[chunkOffFlags] }
func (v AsconfView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v AsconfView) Serial() uint32 { return binary.BigEndian.Uint32(v[offBody:]) }

// Params returns what Length counts, as far as it is there.
func (v AsconfView) Params() Params {
	return Params(v[offBody+4 : max(offBody+4, min(int(v.Length()), len(v)))])
}

func (v AsconfView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v AsconfView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v AsconfView) SetSerial(n uint32) { binary.BigEndian.PutUint32(v[offBody:], n) }

// AsconfAck is an ASCONF-ACK chunk, RFC 5061, section 4.1.2: it answers an
// [Asconf].
type AsconfAck struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	Serial uint32            // of that
	Params Params            // aliases the packet after decoding
}

var _ pkts.Completer = (*AsconfAck)(nil)

var asconfAckProtocol = pkts.Protocol{
	Name:  "SCTP ASCONF ACK",
	New:   pkts.New[AsconfAck],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*AsconfAck); c.Params = slices.Clone(c.Params); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP ASCONF ACK", b, 8) },
	At:    []pkts.Selector{ByChunkType(TypeAsconfAck)},
	Fields: chunkFields(
		pkts.Field{Name: "Serial", Bit: offBody * 8, Bits: 32},
		pkts.Field{Name: "Params", Bit: (offBody + 4) * 8},
	),
}

// Proto returns the descriptor of ASCONF ACK.
func (*AsconfAck) Proto() *pkts.Protocol { return &asconfAckProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *AsconfAck) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP ASCONF ACK", b, 8)
	if err != nil {
		return 0, err
	}
	v := AsconfAckView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Serial = v.Serial()
	l.Params = Params(b[offBody+4 : n : n])
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *AsconfAck) AppendBinary(b []byte) ([]byte, error) {
	return append(binary.BigEndian.AppendUint32(appendChunk(b, TypeAsconfAck, l.Flags, l.Length), l.Serial), l.Params...), nil
}

// Complete computes Length.
func (l *AsconfAck) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *AsconfAck) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypeAsconfAck) }

// AsconfAckView is an ASCONF ACK chunk in place. Its methods panic when it is shorter
// than 8 bytes: those that [pkts.View] returns are not.
type AsconfAckView []byte

// Proto returns the descriptor of ASCONF ACK.
func (AsconfAckView) Proto() *pkts.Protocol { return &asconfAckProtocol }

func (v AsconfAckView) Flags() uint8   { return v[chunkOffFlags] }
func (v AsconfAckView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }
func (v AsconfAckView) Serial() uint32 { return binary.BigEndian.Uint32(v[offBody:]) }

// Params returns what Length counts, as far as it is there.
func (v AsconfAckView) Params() Params {
	return Params(v[offBody+4 : max(offBody+4, min(int(v.Length()), len(v)))])
}

func (v AsconfAckView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v AsconfAckView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
func (v AsconfAckView) SetSerial(n uint32) { binary.BigEndian.PutUint32(v[offBody:], n) }

// ReConfig is a RE-CONFIG chunk, RFC 6525, section 3.1: it resets streams or adds
// some. See [Param.StreamReset] and [Param.ReConfigResponse].
type ReConfig struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	Params Params            // one or two; aliases the packet after decoding
}

var _ pkts.Completer = (*ReConfig)(nil)

var reConfigProtocol = pkts.Protocol{
	Name:  "SCTP RE-CONFIG",
	New:   pkts.New[ReConfig],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*ReConfig); c.Params = slices.Clone(c.Params); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP RE-CONFIG", b, 4) },
	At:    []pkts.Selector{ByChunkType(TypeReConfig)},
	Fields: chunkFields(
		pkts.Field{Name: "Params", Bit: offBody * 8},
	),
}

// Proto returns the descriptor of RE-CONFIG.
func (*ReConfig) Proto() *pkts.Protocol { return &reConfigProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *ReConfig) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP RE-CONFIG", b, 4)
	if err != nil {
		return 0, err
	}
	v := ReConfigView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Params = Params(b[offBody:n:n])
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *ReConfig) AppendBinary(b []byte) ([]byte, error) {
	return append(appendChunk(b, TypeReConfig, l.Flags, l.Length), l.Params...), nil
}

// Complete computes Length.
func (l *ReConfig) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *ReConfig) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypeReConfig) }

// ReConfigView is a RE-CONFIG chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type ReConfigView []byte

// Proto returns the descriptor of RE-CONFIG.
func (ReConfigView) Proto() *pkts.Protocol { return &reConfigProtocol }

func (v ReConfigView) Flags() uint8   { return v[chunkOffFlags] }
func (v ReConfigView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

// Params returns what Length counts, as far as it is there.
func (v ReConfigView) Params() Params {
	return Params(v[offBody:max(offBody, min(int(v.Length()), len(v)))])
}

func (v ReConfigView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v ReConfigView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }

// PadChunk is a PAD chunk, RFC 4820, section 3: it makes a packet longer.
type PadChunk struct {
	Flags  uint8
	Length pkts.Auto[uint16] // in bytes, without padding
	Data   []byte            // aliases the packet after decoding
}

var _ pkts.Completer = (*PadChunk)(nil)

var padProtocol = pkts.Protocol{
	Name:  "SCTP PAD",
	New:   pkts.New[PadChunk],
	Clone: func(l pkts.Layer) pkts.Layer { c := *l.(*PadChunk); c.Data = slices.Clone(c.Data); return &c },
	Index: func(b []byte, _ *pkts.Registry) (pkts.Span, error) { return bodySpan("SCTP PAD", b, 4) },
	At:    []pkts.Selector{ByChunkType(TypePad)},
	Fields: chunkFields(
		pkts.Field{Name: "Data", Bit: offBody * 8},
	),
}

// Proto returns the descriptor of PAD.
func (*PadChunk) Proto() *pkts.Protocol { return &padProtocol }

// Decode fills l from the chunk at the start of b, without its padding.
func (l *PadChunk) Decode(b []byte) (int, error) {
	n, err := bodyLen("SCTP PAD", b, 4)
	if err != nil {
		return 0, err
	}
	v := PadChunkView(b)
	l.Flags = v.Flags()
	l.Length = pkts.Seen(v.Length())
	l.Data = b[offBody:n:n]
	return n, nil
}

// AppendBinary appends the chunk, without padding, to b.
func (l *PadChunk) AppendBinary(b []byte) ([]byte, error) {
	return append(appendChunk(b, TypePad, l.Flags, l.Length), l.Data...), nil
}

// Complete computes Length.
func (l *PadChunk) Complete(c *pkts.Completion) error { return completeChunk(c, l.Length.Mode()) }

// AppendSummary appends the type.
func (l *PadChunk) AppendSummary(b []byte, _ pkts.Node) []byte { return appendType(b, TypePad) }

// PadChunkView is a PAD chunk in place. Its methods panic when it is shorter
// than 4 bytes: those that [pkts.View] returns are not.
type PadChunkView []byte

// Proto returns the descriptor of PAD.
func (PadChunkView) Proto() *pkts.Protocol { return &padProtocol }

func (v PadChunkView) Flags() uint8   { return v[chunkOffFlags] }
func (v PadChunkView) Length() uint16 { return binary.BigEndian.Uint16(v[chunkOffLength:]) }

// Data returns what Length counts, as far as it is there.
func (v PadChunkView) Data() []byte { return v[offBody:max(offBody, min(int(v.Length()), len(v)))] }

func (v PadChunkView) SetFlags(f uint8)   { v[chunkOffFlags] = f }
func (v PadChunkView) SetLength(n uint16) { binary.BigEndian.PutUint16(v[chunkOffLength:], n) }
