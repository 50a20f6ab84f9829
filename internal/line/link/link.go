// Package link carries the sound of one call to a host outside and back, as RTP over UDP (RFC 3550, RFC 3551). A Link owns its socket; its goroutines are two,
// that of Run and one that Run waits for. Where the call is, and who may have one, is its owner's business.
package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"time"

	"parley/internal/codec"
	"parley/internal/fault"
	"parley/internal/mixer"
	"parley/internal/mixer/ear"
	"parley/internal/webhook/target"
)

// Wish says where a link leads and how.
type Wish struct {
	Host   string // host:port
	Format string // ulaw (also ""), alaw, slin16
	Listen string // what the host hears: both, in (what the caller says), out (what the caller hears); "" for nothing, but both when Speak is "" too
	Speak  string // who hears the host: both, in (whom the caller talks to), out (the caller); "" for nobody, but both when Listen is "" too
}

var sides = map[string]ear.Side{"both": ear.Both, "in": ear.Voice, "out": ear.Heard, "": ear.Nothing}

// format is what a name of Wish.Format means: a static payload type, or for slin16 the number that Asterisk has for it.
type format struct {
	codec.Format
	payloadType byte
	sampleLen   int // in bytes
}

var formats = map[string]format{
	"ulaw":   {codec.Format{Name: "PCMU", ClockRate: 8000, SampleRate: 8000}, 0, 1},
	"alaw":   {codec.Format{Name: "PCMA", ClockRate: 8000, SampleRate: 8000}, 8, 1},
	"slin16": {codec.Format{Name: "L16", ClockRate: 16000, SampleRate: 16000}, 118, 2},
}

const (
	dialTimeout = 5 * time.Second        // to find the host
	queue       = 500 * time.Millisecond // of sound that came in; more is dropped
	pollEvery   = 10 * time.Millisecond
	pauseLeast  = 200 * time.Millisecond // without a room to hear, that counts as a pause
)

// Link is one. Tap and Sound are for the media loop.
type Link struct {
	wish   Wish
	format format
	conn   net.Conn
	ring   *mixer.Ring
	inlet  *mixer.Inlet
	log    *slog.Logger

	// The writer's.
	speech  *ear.Speech
	encoder codec.Encoder
	ssrc    uint32
	packet  []byte
	last    time.Time // of a frame

	in arrivals // the reader's
}

// Open finds the host, which the guard has to let pass, and makes the socket; only this host can send to it. Refusals are EXTERNAL_MEDIA_INVALID,
// EXTERNAL_MEDIA_REFUSED and EXTERNAL_MEDIA_UNAVAILABLE. Whoever opens a link has it Run.
func Open(ctx context.Context, guard *target.Guard, w Wish, log *slog.Logger) (*Link, error) {
	if w.Format == "" {
		w.Format = "ulaw"
	}
	if w.Listen == "" && w.Speak == "" {
		w.Listen, w.Speak = "both", "both"
	}
	f, ok := formats[w.Format]
	if !ok {
		return nil, fault.New(fault.Invalid, "EXTERNAL_MEDIA_INVALID", "format %q is not one of ulaw, alaw and slin16", w.Format)
	}
	host, port, err := net.SplitHostPort(w.Host)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n == 0 || host == "" {
		return nil, fault.New(fault.Invalid, "EXTERNAL_MEDIA_INVALID", "external_host has to be host:port, with a port from 1 to 65535")
	}
	l := &Link{wish: w, format: f, ring: mixer.NewRing(""), speech: ear.NewSpeech(f.SampleRate), ssrc: rand.Uint32(), log: log}
	if l.inlet, err = mixer.NewInlet(f.SampleRate, queue); err != nil {
		return nil, err
	}
	if l.encoder, err = codec.NewEncoder(f.Format, f.SampleRate); err != nil {
		return nil, err
	}
	if l.in, err = newArrivals(f); err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: dialTimeout, Control: guard.Control}
	if l.conn, err = dialer.DialContext(ctx, "udp", w.Host); err != nil {
		if errors.Is(err, target.ErrRefused) {
			return nil, fault.New(fault.Denied, "EXTERNAL_MEDIA_REFUSED", "external_host: %v", target.ErrRefused)
		}
		return nil, fault.New(fault.Unavailable, "EXTERNAL_MEDIA_UNAVAILABLE", "external_host cannot be found: %v", err)
	}
	return l, nil
}

// Tap makes the tap for the port with the tag. company says whether it is in a conference, or the call alone.
func (l *Link) Tap(tag string, company bool) mixer.Tap {
	if l.speaks(company) {
		return ear.New(l.ring, l.inlet, tag, sides[l.wish.Listen])
	}
	return ear.New(l.ring, nil, tag, sides[l.wish.Listen])
}

// Sound is what comes from the host, nil where that is not to be heard.
func (l *Link) Sound(company bool) mixer.Sound {
	if l.speaks(company) {
		return l.inlet
	}
	return nil
}

// speaks tells whether the host is heard. A player of a conference is heard by all of it. So what is for the caller alone is not played there, and what is
// for the others nowhere else.
func (l *Link) speaks(company bool) bool {
	return l.wish.Speak == "both" || company && l.wish.Speak == "in" || !company && l.wish.Speak == "out"
}

// Addr is where the host finds the link.
func (l *Link) Addr() net.Addr { return l.conn.LocalAddr() }

// Close gives a link back that is not run.
func (l *Link) Close() { _ = l.conn.Close() }

// Run carries sound until ctx ends, and closes the link.
func (l *Link) Run(ctx context.Context) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		l.read()
	}()
	sent := l.write(ctx)
	l.Close()
	<-over
	l.log.Info("external media ended", "host", l.wish.Host, "sent", sent, "lost", l.ring.Lost(), "received", l.in.received, "dropped", l.inlet.Dropped())
}

// write sends what is heard. A host that is not there (ICMP) is one that may come.
func (l *Link) write(ctx context.Context) (sent int) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	frame := make([]int16, ear.Samples)
	for {
		for f, ok := l.ring.Next(frame); ok; f, ok = l.ring.Next(frame) {
			if err := l.send(f); err != nil {
				l.log.Warn("external media cannot be sent", "host", l.wish.Host, "error", err)
				return sent
			}
			sent++
		}
		select {
		case <-ctx.Done():
			return sent
		case <-poll.C:
		}
	}
}

// send sends one frame. An error is one of ours.
func (l *Link) send(f mixer.Frame) error {
	now := time.Now()
	if gap := now.Sub(l.last) - 20*time.Millisecond; !l.last.IsZero() && gap > pauseLeast && f.Missing == 0 {
		l.speech.Pause(gap)
	}
	l.last = now
	pcm, at, err := l.speech.Frame(f)
	if err != nil {
		return err
	}
	l.packet = appendHeader(l.packet[:0], l.format.payloadType, at, l.ssrc)
	head := len(l.packet)
	l.packet = append(l.packet, make([]byte, codec.MaxPayload)...)
	n, err := l.encoder.Encode(l.packet[head:], pcm)
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	_, _ = l.conn.Write(l.packet[:head+n])
	return nil
}
