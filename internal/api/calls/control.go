package calls

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"parley/internal/api/rest"
	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/line"
	"parley/internal/store"
	"parley/internal/trunk/route"
	"parley/internal/wire"
)

// Limits of what a call is told.
const (
	talkMax    = 10_000 // characters
	wordMax    = 64
	urlsMax    = 50
	digitsMax  = 100
	secondsMax = 86_400
	digits     = "0123456789*#ABCD"
	silenceMax = 3600
)

// controls returns the routes that do something with a live call. All answer with the call.
func (c *calls) controls() []rest.Route {
	simple := func(do string) func(*rest.Request) (rest.Reply, error) {
		return c.control(func(*rest.Request) (line.Control, error) { return line.Control{Do: do}, nil })
	}
	return []rest.Route{
		{Method: "POST", Path: "/calls/{id}/hold", Do: simple("hold")},
		{Method: "DELETE", Path: "/calls/{id}/hold", Do: simple("unhold")},
		{Method: "POST", Path: "/calls/{id}/mute", Do: c.control(mute("mute"))},
		{Method: "DELETE", Path: "/calls/{id}/mute", Do: c.control(mute("unmute"))},
		{Method: "POST", Path: "/calls/{id}/moh", Do: simple("moh")},
		{Method: "DELETE", Path: "/calls/{id}/moh", Do: simple("unmoh")},
		{Method: "POST", Path: "/calls/{id}/silence", Do: simple("silence")},
		{Method: "DELETE", Path: "/calls/{id}/silence", Do: simple("unsilence")},
		{Method: "POST", Path: "/calls/{id}/talk", Do: c.control(talk)},
		{Method: "POST", Path: "/calls/{id}/play", Do: c.control(play)},
		{Method: "POST", Path: "/calls/{id}/stop_playing", Do: simple("stop")},
		{Method: "POST", Path: "/calls/{id}/digits", Do: c.control(press)},
		{Method: "POST", Path: "/conferencecalls/{id}/digits", Do: c.pressFor},
		{Method: "POST", Path: "/calls/{id}/refer", Do: c.control(c.refer)},
		{Method: "POST", Path: "/calls/{id}/recording_start", Do: c.control(record)},
		{Method: "POST", Path: "/calls/{id}/recording_stop", Do: simple("recording_stop")},
	}
}

// control makes a route of what reads a wish from a request.
func (c *calls) control(read func(*rest.Request) (line.Control, error)) func(*rest.Request) (rest.Reply, error) {
	return func(r *rest.Request) (rest.Reply, error) {
		rec, err := r.Owned(store.Call)
		if err != nil {
			return rest.Reply{}, err
		}
		if err := c.ready(); err != nil {
			return rest.Reply{}, err
		}
		if !rec.Live {
			return rest.Reply{}, fault.New(fault.Conflict, "CALL_ALREADY_HANGUP", "call %s has been hung up", rec.ID)
		}
		wish, err := read(r)
		if err != nil {
			return rest.Reply{}, err
		}
		v, err := c.o.Exchange.Control(r.Context(), r.CustomerID, rec.ID, wish)
		if err != nil {
			return rest.Reply{}, named(err)
		}
		return rest.Tagged(v.Resource())
	}
}

func mute(do string) func(*rest.Request) (line.Control, error) {
	return func(r *rest.Request) (line.Control, error) {
		var in struct {
			Direction string `json:"direction"`
		}
		if err := parse(r, &in); err != nil {
			return line.Control{}, err
		}
		d, err := wire.OneOf(in.Direction, "both", "in", "out")
		if err != nil {
			return line.Control{}, invalid("direction", "%v", err)
		}
		return line.Control{Do: do, Direction: d}, nil
	}
}

func talk(r *rest.Request) (c line.Control, err error) {
	var in struct {
		Text     string `json:"text"`
		Language string `json:"language"`
		Provider string `json:"provider"`
		VoiceID  string `json:"voice_id"`
		Gender   string `json:"gender"` // of old clients, instead of the two before
	}
	if err := r.Parse(&in); err != nil {
		return c, err
	}
	if strings.TrimSpace(in.Text) == "" {
		return c, invalid("text", "there is nothing to say")
	}
	if err := wire.Text(in.Text, talkMax); err != nil {
		return c, invalid("text", "%v", err)
	}
	for field, word := range map[string]string{"language": in.Language, "provider": in.Provider, "voice_id": in.VoiceID, "gender": in.Gender} {
		if err := wire.Text(word, wordMax); err != nil {
			return c, invalid(field, "%v", err)
		}
	}
	return line.Control{
		Do: "talk", Text: in.Text, Language: in.Language, Provider: in.Provider, Voice: cmp.Or(in.VoiceID, in.Gender),
	}, nil
}

func play(r *rest.Request) (c line.Control, err error) {
	var in struct {
		StreamURLs []string `json:"stream_urls"`
	}
	if err := r.Parse(&in); err != nil {
		return c, err
	}
	if n := len(in.StreamURLs); n == 0 || n > urlsMax {
		return c, invalid("stream_urls", "there are %d; give 1 to %d", n, urlsMax)
	}
	for i, text := range in.StreamURLs {
		if err := wire.Sound(text); err != nil {
			return c, invalid(fmt.Sprintf("stream_urls[%d]", i), "%v", err)
		}
	}
	return line.Control{Do: "play", URLs: in.StreamURLs}, nil
}

func press(r *rest.Request) (c line.Control, err error) {
	var in struct {
		Digits string `json:"digits"`
	}
	if err := r.Parse(&in); err != nil {
		return c, err
	}
	keys := strings.ToUpper(in.Digits)
	if keys == "" || len(keys) > digitsMax || strings.Trim(keys, digits) != "" {
		return c, invalid("digits", "give 1 to %d of %s", digitsMax, digits)
	}
	return line.Control{Do: "digits", Digits: keys}, nil
}

// pressFor presses keys in the call of a participant, which is the answer.
func (c *calls) pressFor(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conferencecall)
	if err != nil {
		return rest.Reply{}, err
	}
	if err := c.ready(); err != nil {
		return rest.Reply{}, err
	}
	who, err := rest.Read[conference.Participant](rec)
	if err != nil {
		return rest.Reply{}, err
	}
	if !rec.Live {
		return rest.Reply{}, fault.New(fault.Conflict, "CONFERENCECALL_LEAVED", "conferencecall %s has left or is leaving", rec.ID)
	}
	wish, err := press(r)
	if err != nil {
		return rest.Reply{}, err
	}
	if _, err := c.o.Exchange.Control(r.Context(), r.CustomerID, who.CallID, wish); err != nil {
		return rest.Reply{}, named(err)
	}
	return rest.Tagged(who.Resource())
}

// refer has the phone call somebody else; where calls from here may not go, phones are not sent either.
func (c *calls) refer(r *rest.Request) (wish line.Control, err error) {
	var in struct {
		Destination call.Address `json:"destination"`
	}
	if err := r.Parse(&in); err != nil {
		return wish, err
	}
	if err := checkDestination("destination", &in.Destination); err != nil {
		return wish, err
	}
	if in.Destination.Type != route.SIP && in.Destination.Type != route.Tel {
		return wish, at("destination", fault.New(fault.Invalid, "DESTINATION_UNSUPPORTED", "destination: a phone is sent to sip and tel addresses only"))
	}
	if c.o.Ways == nil {
		return wish, fault.New(fault.Denied, "DESTINATION_NOT_ALLOWED", "destination: this server calls extensions only")
	}
	hops, err := c.o.Ways.Plan(r.Context(), r.CustomerID, in.Destination, call.Address{})
	if err != nil {
		return wish, named(err)
	}
	return line.Control{Do: "refer", To: hops[0].To}, nil
}

func record(r *rest.Request) (c line.Control, err error) {
	var in struct {
		Format       string `json:"format"`
		EndOfSilence int64  `json:"end_of_silence"` // seconds
		EndOfKey     string `json:"end_of_key"`
		Duration     int64  `json:"duration"` // seconds
		OnEndFlowID  string `json:"on_end_flow_id"`
	}
	if err := parse(r, &in); err != nil {
		return c, err
	}
	format, err := wire.OneOf(in.Format, "wav", "ogg")
	if err != nil {
		return c, invalid("format", "%v", err)
	}
	for field, v := range map[string][2]int64{"end_of_silence": {in.EndOfSilence, silenceMax}, "duration": {in.Duration, secondsMax}} {
		if v[0] < 0 || v[0] > v[1] {
			return c, invalid(field, "%d is not 0 to %d seconds", v[0], v[1])
		}
	}
	keys := strings.ToUpper(in.EndOfKey)
	if keys == "NONE" {
		keys = ""
	}
	if len(keys) > len(digits) || strings.Trim(keys, digits) != "" {
		return c, invalid("end_of_key", "give keys out of %s", digits)
	}
	flowID, err := wire.OptionalUUID(in.OnEndFlowID)
	if err != nil {
		return c, invalid("on_end_flow_id", "%v", err)
	}
	if flowID != "" {
		if err := known(r, flowID); err != nil {
			return c, err
		}
	}
	return line.Control{
		Do: "recording_start", Format: format, EndOfKey: keys, OnEndFlowID: flowID,
		EndOfSilence: time.Duration(in.EndOfSilence) * time.Second, Duration: time.Duration(in.Duration) * time.Second,
	}, nil
}
