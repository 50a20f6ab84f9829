package sdp

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	psdp "github.com/pion/sdp/v3"

	"parley/internal/fault"
)

var ours = []Codec{
	{Name: "opus", PayloadType: 111, ClockRate: 48000, Channels: 2, Fmtp: "minptime=10;useinbandfec=1"},
	{Name: "G722", PayloadType: 9, ClockRate: 8000, Channels: 1},
	{Name: "PCMU", PayloadType: 0, ClockRate: 8000, Channels: 1},
	{Name: "PCMA", PayloadType: 8, ClockRate: 8000, Channels: 1},
}

func session() *Session {
	return New(netip.MustParseAddrPort("127.0.0.1:20000"), netip.MustParseAddrPort("127.0.0.1:20001"), 42, ours)
}

// text makes a description from lines.
func text(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n") + "\r\n") }

var head = []string{"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"}

func offer(lines ...string) []byte { return text(append(append([]string{}, head...), lines...)...) }

func TestAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		offer     []byte
		codec     string
		pt, dtmf  uint8
		direction Direction
		remote    string
		rtcp      string
		contains  []string
	}{
		"a SIPp scenario's": {
			offer("m=audio 6000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"), "PCMU", 0, 0, SendRecv, "127.0.0.1:6000", "127.0.0.1:6001",
			[]string{"m=audio 20000 RTP/AVP 0\r\n", "a=sendrecv\r\n", "a=rtcp:20001\r\n"},
		},
		"no rtpmap at all": {offer("m=audio 6000 RTP/AVP 8 0"), "PCMA", 8, 0, SendRecv, "127.0.0.1:6000", "127.0.0.1:6001", nil},
		"baresip's": {
			offer("m=audio 6000 RTP/AVP 96 9 101", "b=AS:125", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 stereo=1;sprop-stereo=1", "a=rtpmap:9 G722/8000",
				"a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15", "a=rtcp:6001", "a=sendrecv", "a=label:1", "a=ptime:20"),
			"opus", 96, 101, SendRecv, "127.0.0.1:6000", "127.0.0.1:6001",
			[]string{"a=rtpmap:96 opus/48000/2\r\n", "a=fmtp:96 minptime=10;useinbandfec=1\r\n", "a=rtpmap:101 telephone-event/8000\r\n"},
		},
		"linphone's": {
			offer("m=audio 7078 RTP/AVP 96 97 98 0 8 18 101 99 100", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 speex/16000", "a=rtpmap:98 speex/8000",
				"a=rtpmap:101 telephone-event/48000", "a=rtpmap:99 telephone-event/16000", "a=rtpmap:100 telephone-event/8000", "a=rtcp-fb:* trr-int 5000"),
			"opus", 96, 101, SendRecv, "127.0.0.1:7078", "127.0.0.1:7079",
			[]string{"m=audio 20000 RTP/AVP 96 0 8 101\r\n"},
		},
		"hold":     {offer("m=audio 6000 RTP/AVP 0", "a=sendonly"), "PCMU", 0, 0, RecvOnly, "127.0.0.1:6000", "127.0.0.1:6001", []string{"a=recvonly\r\n"}},
		"listener": {offer("m=audio 6000 RTP/AVP 0", "a=recvonly"), "PCMU", 0, 0, SendOnly, "127.0.0.1:6000", "127.0.0.1:6001", []string{"a=sendonly\r\n"}},
		"inactive, for the whole session": {
			append(text(append(append([]string{}, head...), "a=inactive")...), text("m=audio 6000 RTP/AVP 0")...),
			"PCMU", 0, 0, Inactive, "127.0.0.1:6000", "127.0.0.1:6001",
			[]string{"a=inactive\r\n"},
		},
		"old hold": {
			text("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 0.0.0.0", "t=0 0", "m=audio 6000 RTP/AVP 0"),
			"PCMU", 0, 0, Inactive, "0.0.0.0:6000", "0.0.0.0:6001",
			[]string{"a=inactive\r\n"},
		},
		"rtcp-mux":   {offer("m=audio 6000 RTP/AVPF 0", "a=rtcp-mux"), "PCMU", 0, 0, SendRecv, "127.0.0.1:6000", "127.0.0.1:6000", []string{"RTP/AVPF", "a=rtcp-mux\r\n"}},
		"other RTCP": {offer("m=audio 6000 RTP/AVP 0", "a=rtcp:7000 IN IP4 127.0.0.9"), "PCMU", 0, 0, SendRecv, "127.0.0.1:6000", "127.0.0.1:7000", nil},
		"video too": {
			offer("m=video 7000 RTP/AVP 96", "a=rtpmap:96 VP8/90000", "m=audio 6000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"),
			"PCMU", 0, 101, SendRecv, "127.0.0.1:6000", "127.0.0.1:6001",
			[]string{"m=video 0 RTP/AVP 96\r\nm=audio 20000"},
		},
		"Asterisk's": {
			text("v=0", "o=- 1234567 1234567 IN IP4 127.0.0.1", "s=Asterisk", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 12000 RTP/AVP 9 8 0 101", "a=rtpmap:9 G722/8000",
				"a=rtpmap:8 PCMA/8000", "a=rtpmap:0 PCMU/8000", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20", "a=maxptime:140", "a=sendrecv"),
			"G722", 9, 101, SendRecv, "127.0.0.1:12000", "127.0.0.1:12001",
			[]string{"m=audio 20000 RTP/AVP 9 8 0 101\r\n"},
		},
		"a gateway's with fax": {
			offer("m=image 0 udptl t38", "m=audio 6000 RTP/AVP 8", "m=audio 6002 RTP/AVP 0"), "PCMA", 8, 0, SendRecv, "127.0.0.1:6000", "127.0.0.1:6001",
			[]string{"m=image 0 udptl t38\r\nm=audio 20000 RTP/AVP 8\r\n", "m=audio 0 RTP/AVP 0\r\n"},
		},
		"encrypted and plain": {
			offer("m=audio 6000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x", "m=audio 6002 RTP/AVP 0"), "PCMU", 0, 0, SendRecv, "127.0.0.1:6002", "127.0.0.1:6003",
			[]string{"m=audio 0 RTP/SAVP 0\r\nm=audio 20000 RTP/AVP 0\r\n"},
		},
		"its own connection": {
			offer("m=audio 6000 RTP/AVP 0", "c=IN IP4 127.0.0.7"), "PCMU", 0, 0, SendRecv, "127.0.0.7:6000", "127.0.0.7:6001", nil,
		},
		"no end of line, no name, no time": {
			[]byte("v=0\no=two words 1 -1 IN IP4 host.example\nc=IN IP4 127.0.0.1\na=tool:x\nb=AS:64\ny=unknown\nm=audio 6000/2 RTP/AVP  0 8"),
			"PCMU", 0, 0, SendRecv, "127.0.0.1:6000", "127.0.0.1:6001", nil,
		},
		"IPv6": {text("v=0", "o=- 1 1 IN IP6 ::1", "s=-", "c=IN IP6 ::1", "t=0 0", "m=audio 6000 RTP/AVP 0"), "PCMU", 0, 0, SendRecv, "[::1]:6000", "[::1]:6001", nil},
	} {
		body, m, err := session().Answer(c.offer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Codec.Name != c.codec || m.Codec.PayloadType != c.pt || m.DTMF != c.dtmf || m.Direction != c.direction || m.Remote.String() != c.remote || m.RemoteRTCP.String() != c.rtcp {
			t.Errorf("%s: %+v", name, m)
		}
		for _, want := range c.contains {
			if !bytes.Contains(body, []byte(want)) {
				t.Errorf("%s: %q is not in\n%s", name, want, body)
			}
		}
		if bytes.Contains(body, []byte("m=image")) { // which the other parser does not know
			continue
		}
		if err := new(psdp.SessionDescription).Unmarshal(body); err != nil {
			t.Errorf("%s: another parser says of our answer: %v", name, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	long := offer("m=audio 6000 RTP/AVP 0", "a=x:"+strings.Repeat("y", MaxSize))
	for name, c := range map[string]struct {
		offer  []byte
		reason string
	}{
		"nothing":        {nil, "INVALID_SDP"},
		"not SDP":        {[]byte("hello"), "INVALID_SDP"},
		"too long":       {long, "INVALID_SDP"},
		"no connection":  {text("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "m=audio 6000 RTP/AVP 0"), "INVALID_SDP"},
		"host name":      {text("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 example.com", "t=0 0", "m=audio 6000 RTP/AVP 0"), "INVALID_SDP"},
		"multicast":      {text("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 224.2.1.1/127", "t=0 0", "m=audio 6000 RTP/AVP 0"), "INVALID_SDP"},
		"a blank line":   {[]byte("v=0\r\n\r\nm=audio 6000 RTP/AVP 0\r\n"), "INVALID_SDP"},
		"a NUL":          {offer("m=audio 6000 RTP/AVP 0", "a=x:\x00"), "INVALID_SDP"},
		"a port of text": {offer("m=audio six RTP/AVP 0"), "INVALID_SDP"},
		"a large port":   {offer("m=audio 66000 RTP/AVP 0"), "INVALID_SDP"},
		"no format":      {offer("m=audio 6000 RTP/AVP"), "INVALID_SDP"},
		"many streams":   {offer(slices.Repeat([]string{"m=audio 6000 RTP/AVP 0"}, 40)...), "INVALID_SDP"},
		"many lines":     {offer(slices.Repeat([]string{"a=x"}, 1200)...), "INVALID_SDP"},
		"broadcast":      {text("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 255.255.255.255", "t=0 0", "m=audio 6000 RTP/AVP 0"), "INVALID_SDP"},
		"DTLS":           {offer("m=audio 9 UDP/TLS/RTP/SAVPF 111", "a=rtpmap:111 opus/48000/2"), "NOT_ACCEPTABLE_MEDIA"},
		"no codec":       {offer("m=audio 6000 RTP/AVP 3 18", "a=rtpmap:18 G729/8000"), "NOT_ACCEPTABLE_MEDIA"},
		"events only":    {offer("m=audio 6000 RTP/AVP 101", "a=rtpmap:101 telephone-event/8000"), "NOT_ACCEPTABLE_MEDIA"},
		"no audio":       {offer("m=video 6000 RTP/AVP 96", "a=rtpmap:96 VP8/90000"), "NOT_ACCEPTABLE_MEDIA"},
		"rejected audio": {offer("m=audio 0 RTP/AVP 0"), "NOT_ACCEPTABLE_MEDIA"},
		"SRTP":           {offer("m=audio 6000 RTP/SAVP 0"), "NOT_ACCEPTABLE_MEDIA"},
		"wrong rate":     {offer("m=audio 6000 RTP/AVP 96", "a=rtpmap:96 opus/8000"), "NOT_ACCEPTABLE_MEDIA"},
	} {
		if _, _, err := session().Answer(c.offer); fault.ReasonOf(err) != c.reason || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v (%s), want %s", name, err, fault.ReasonOf(err), c.reason)
		}
	}
}

func TestLateOffer(t *testing.T) {
	s := session()
	if _, err := s.Accept(offer("m=audio 6000 RTP/AVP 0")); fault.KindOf(err) != fault.Conflict {
		t.Errorf("an answer without an offer: %v", err)
	}
	made := s.Offer()
	for _, want := range []string{"m=audio 20000 RTP/AVP 111 9 0 8 101 102\r\n", "a=rtpmap:101 telephone-event/8000\r\n", "a=rtpmap:102 telephone-event/48000\r\n"} {
		if !bytes.Contains(made, []byte(want)) {
			t.Errorf("%q is not in\n%s", want, made)
		}
	}
	m, err := s.Accept(offer("m=audio 6000 RTP/AVP 9 101", "a=rtpmap:9 G722/8000", "a=rtpmap:101 telephone-event/8000"))
	if err != nil || m.Codec.Name != "G722" || m.DTMF != 101 || m.Direction != SendRecv {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestVersionRisesOnlyWithAChange(t *testing.T) {
	s := session()
	origin := func(o []byte) string {
		body, _, err := s.Answer(o)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(string(body), "\r\n")[1]
	}
	plain, hold := offer("m=audio 6000 RTP/AVP 0"), offer("m=audio 6000 RTP/AVP 0", "a=sendonly")
	for i, c := range []struct {
		offer   []byte
		version int
	}{{plain, 1}, {plain, 1}, {hold, 2}, {hold, 2}, {plain, 3}} {
		if got, want := origin(c.offer), fmt.Sprintf("o=- 42 %d IN IP4 127.0.0.1", c.version); got != want {
			t.Errorf("step %d: %q, want %q", i, got, want)
		}
	}
}

// TestLateOfferKeepsTheDialog: an offer after an answer has the streams of the dialog in their order, and no number with another meaning.
func TestLateOfferKeepsTheDialog(t *testing.T) {
	s := session()
	_, _, err := s.Answer(offer("m=video 7000 RTP/AVP 98", "a=rtpmap:98 VP8/90000", "m=audio 6000 RTP/AVPF 96 97 101 0", "a=rtpmap:96 opus/48000/2", "a=rtpmap:97 speex/16000",
		"a=rtpmap:101 telephone-event/48000", "a=rtcp-mux", "a=mid:sound"))
	if err != nil {
		t.Fatal(err)
	}
	made := string(s.Offer())
	for _, want := range []string{
		"o=- 42 2 IN", "m=video 0 RTP/AVP 98\r\nm=audio 20000 RTP/AVPF 96 9 0 8 102 101\r\n", "a=rtpmap:96 opus/48000/2\r\n",
		"a=rtpmap:101 telephone-event/48000\r\n", "a=rtpmap:102 telephone-event/8000\r\n", "a=rtcp-mux\r\n", "a=mid:sound\r\n",
	} {
		if !strings.Contains(made, want) {
			t.Errorf("%q is not in\n%s", want, made)
		}
	}
	if _, _, err := s.Answer([]byte("nonsense")); err == nil || string(s.Offer()) != made {
		t.Error("an offer that was refused changed something")
	}
}

// TestAnswerWithNumbersOfItsOwn: what we send has the peer's number, what comes may have ours.
func TestAnswerWithNumbersOfItsOwn(t *testing.T) {
	s := session()
	s.Offer()
	m, err := s.Accept(offer("m=audio 6000 RTP/AVP 120", "a=rtpmap:120 OPUS/48000/2", "a=rtcp-mux"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Codec.PayloadType != 120 || len(m.Accept) != 2 || m.Accept[0].PayloadType != 120 || m.Accept[1].PayloadType != 111 {
		t.Errorf("%+v", m)
	}
	if m.RTCPMux || m.RemoteRTCP.Port() != 6001 {
		t.Errorf("rtcp-mux that was not offered: %+v", m)
	}
}

func TestSource(t *testing.T) {
	s, ip := session(), netip.MustParseAddr("203.0.113.9")
	s.SetSource(ip)
	if _, m, err := s.Answer(offer("m=audio 6000 RTP/AVP 0")); err != nil || m.Source != ip {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestOurHold(t *testing.T) {
	s := session()
	s.SetHold(true)
	body, m, err := s.Answer(offer("m=audio 6000 RTP/AVP 0"))
	if err != nil || m.Direction != Inactive || !bytes.Contains(body, []byte("a=inactive")) {
		t.Errorf("%+v, %v", m, err)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(offer("m=audio 6000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=rtcp:5 IN IP4 1.2.3.4", "a=ptime:x"))
	f.Add(offer("m=video 7000 RTP/AVP 96", "m=audio 6000/2 RTP/AVP 96", "a=rtpmap:96 opus/48000/2"))
	f.Fuzz(func(t *testing.T, text []byte) {
		body, m, err := session().Answer(text)
		if err != nil {
			if fault.KindOf(err) != fault.Invalid {
				t.Errorf("%v is not the client's fault", err)
			}
			return
		}
		if _, err := parse(body); err != nil {
			t.Errorf("our answer cannot be read: %v\n%s", err, body)
		}
		if len(m.Accept) == 0 || m.Codec != m.Accept[0] {
			t.Errorf("%+v", m)
		}
	})
}
