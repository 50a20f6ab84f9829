package action

import (
	"fmt"
	"strings"

	"parley/internal/wire"
)

// Lasting is the option of sleep, echo and stream_echo: milliseconds.
type Lasting struct {
	Duration int64 `json:"duration"`
}

func (o *Lasting) check(c *check) {
	if c.kind != Sleep && o.Duration == 0 {
		o.Duration = echoDefault
	}
	c.number("duration", o.Duration, 0, durationMax)
}

// Receiving collects digits until there are Length of them, one of them is in Key, or Duration milliseconds have passed. Digits that are
// there already count.
type Receiving struct {
	Duration int64  `json:"duration"`
	Length   int64  `json:"length"` // 0: any number
	Key      string `json:"key"`    // "": none
}

func (o *Receiving) check(c *check) {
	c.number("duration", o.Duration, 0, durationMax)
	c.number("length", o.Length, 0, digitsMax)
	c.digits("key", o.Key, 16)
	if o.Duration == 0 && o.Length == 0 && o.Key == "" {
		c.fail("duration", "without duration, length and key nothing would be collected; give one of them")
	}
}

// Take splits digits after the one that completes the collection; complete is false when there is none. A key stays in the value.
func (o *Receiving) Take(digits string) (value, rest string, complete bool) {
	for i := range len(digits) {
		if o.Key != "" && strings.IndexByte(o.Key, digits[i]) >= 0 || o.Length > 0 && int64(i+1) >= o.Length {
			return digits[:i+1], digits[i+1:], true
		}
	}
	return digits, "", len(digits) >= digitsMax
}

// Sending sends digits, each Duration milliseconds long with Interval milliseconds between them.
type Sending struct {
	Digits   string `json:"digits"`
	Duration int64  `json:"duration"` // 100..1000; 0 is 100
	Interval int64  `json:"interval"` // 0..5000
}

func (o *Sending) check(c *check) {
	c.text("digits", o.Digits, 1, wordMax)
	c.digits("digits", o.Digits, digitsMax)
	if o.Duration == 0 {
		o.Duration = 100
	}
	c.number("duration", o.Duration, 100, 1000)
	c.number("interval", o.Interval, 0, 5000)
}

// Playing plays what is at the URLs, one after the other. Besides http and https there is blob:<key>, in the customer's part of the blob store.
type Playing struct {
	StreamURLs []string `json:"stream_urls"`
}

func (o *Playing) check(c *check) {
	if len(o.StreamURLs) == 0 || len(o.StreamURLs) > urlsMax {
		c.fail("stream_urls", "it has %d URLs; 1 to %d can be played", len(o.StreamURLs), urlsMax)
	}
	for i, u := range o.StreamURLs {
		c.place(fmt.Sprintf("stream_urls[%d]", i), u, wire.Sound)
	}
}

// Talking speaks a text. DigitsHandle next: a digit cuts it short. Async: do not wait for its end.
type Talking struct {
	Text         string `json:"text"` // plain or SSML
	Language     string `json:"language"`
	Provider     string `json:"provider"`
	VoiceID      string `json:"voice_id"`
	DigitsHandle string `json:"digits_handle"` // "" or next
	Async        bool   `json:"async"`
}

func (o *Talking) check(c *check) {
	if c.stage == Written { // a text made of variables may come out empty: nothing is said then
		c.text("text", o.Text, 1, textMax)
	}
	c.text("text", o.Text, 0, textMax)
	c.text("language", o.Language, 0, wordMax)
	c.text("provider", o.Provider, 0, wordMax)
	c.text("voice_id", o.VoiceID, 0, wordMax)
	c.word("digits_handle", o.DigitsHandle, "", "next")
}

// Recording records the call from here on.
type Recording struct {
	Format       string `json:"format"`         // wav (also ""), ogg
	EndOfSilence int64  `json:"end_of_silence"` // seconds; 0: not
	EndOfKey     string `json:"end_of_key"`
	Duration     int64  `json:"duration"` // seconds; 0: as long as allowed
	BeepStart    bool   `json:"beep_start"`
	OnEndFlowID  string `json:"on_end_flow_id"`
}

func (o *Recording) check(c *check) {
	c.word("format", o.Format, "", "wav", "ogg")
	c.number("end_of_silence", o.EndOfSilence, 0, 86400)
	c.digits("end_of_key", o.EndOfKey, 16)
	c.number("duration", o.Duration, 0, 86400)
	c.uuid("on_end_flow_id", &o.OnEndFlowID, false)
}

// Transcribing turns the call, or its recordings, into text.
type Transcribing struct {
	Language    string `json:"language"`
	Provider    string `json:"provider"`
	Direction   string `json:"direction"` // both (also ""), in, out
	OnEndFlowID string `json:"on_end_flow_id"`
}

func (o *Transcribing) check(c *check) {
	c.text("language", o.Language, 0, wordMax)
	c.text("provider", o.Provider, 0, wordMax)
	c.word("direction", o.Direction, "", "both", "in", "out")
	c.uuid("on_end_flow_id", &o.OnEndFlowID, false)
}

// MediaLink connects the call's media to a host outside.
type MediaLink struct {
	ExternalHost    string `json:"external_host"`
	Encapsulation   string `json:"encapsulation"`   // rtp (also "")
	Transport       string `json:"transport"`       // udp (also "")
	TransportData   string `json:"transport_data"`  // not looked at
	ConnectionType  string `json:"connection_type"` // client (also "")
	Format          string `json:"format"`          // ulaw (also ""), alaw, slin16
	DirectionListen string `json:"direction_listen"`
	DirectionSpeak  string `json:"direction_speak"`
	Data            string `json:"data"`
}

func (o *MediaLink) check(c *check) {
	c.text("external_host", o.ExternalHost, 1, wordMax)
	c.word("encapsulation", o.Encapsulation, "", "rtp")
	c.word("transport", o.Transport, "", "udp")
	c.text("transport_data", o.TransportData, 0, wordMax)
	c.word("connection_type", o.ConnectionType, "", "client")
	c.word("format", o.Format, "", "ulaw", "alaw", "slin16")
	c.word("direction_listen", o.DirectionListen, "", "both", "in", "out")
	c.word("direction_speak", o.DirectionSpeak, "", "both", "in", "out")
	c.text("data", o.Data, 0, dataMax)
}

// Muting keeps the call from speaking, from hearing, or both.
type Muting struct {
	Direction string `json:"direction"` // both (also ""), in, out
}

func (o *Muting) check(c *check) { c.word("direction", o.Direction, "", "both", "in", "out") }

// Detection finds out whether a machine has answered. Async: go on meanwhile.
type Detection struct {
	MachineHandle string `json:"machine_handle"` // hangup (also ""), continue
	Async         bool   `json:"async"`
}

func (o *Detection) check(c *check) {
	c.word("machine_handle", o.MachineHandle, "", "hangup", "continue")
}
