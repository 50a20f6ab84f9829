package api_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"parley/internal/conference"
	"parley/internal/conference/announcement"
	"parley/internal/fault"
	"parley/internal/loop"
	"parley/internal/room"
)

// What the rooms of tests are asked for beyond the rules: announcements come back as they are, everybody moves, one is live.

func (h *rooms) Announce(_ context.Context, id conference.ID, a announcement.Announcement, o room.DoOptions) (announcement.Announcement, error) {
	a.ConferenceID, a.CustomerID, a.Status = string(id), o.CustomerID, announcement.Queued
	return a.Normal()
}

func (h *rooms) StopAnnouncements(_ context.Context, _ conference.ID, who conference.ParticipantID, _ room.DoOptions) (int, error) {
	if who == "" {
		return 3, nil
	}
	return 1, nil
}

func (h *rooms) Move(ctx context.Context, from conference.ID, who conference.ParticipantID, to conference.ID, o room.DoOptions) (room.View, error) {
	if from == to {
		return room.View{}, fault.New(fault.Invalid, "SAME_CONFERENCE", "it is there")
	}
	return h.Do(ctx, to, conference.Join{ID: conference.ParticipantID("aaaaaaaa" + string(who)[8:]), CustomerID: o.CustomerID, At: time.Now()}, o)
}

func (h *rooms) Live(id conference.ParticipantID) (room.Live, bool) {
	return room.Live{Level: -23, Stats: loop.Stats{PacketsIn: 1, MOS: 4.2, LossPercent: 1.5, JitterMillis: 3, RTTMillis: 40, RemoteLossPercent: 2}}, true
}

func TestAnnouncements(t *testing.T) {
	w := newWorld(t)
	id := w.must("POST", "/conferences", object{}).id()
	ada := w.join(id, "ada", "")
	a := w.must("POST", "/conferences/"+id+"/talk", object{"text": "hello", "language": "en-GB", "voice_id": "x", "volume": -3})
	if a.body["kind"] != "talk" || a.body["text"] != "hello" || a.body["conferencecall_id"] != "00000000-0000-0000-0000-000000000000" || a.body["status"] != "queued" {
		t.Errorf("%s", a.raw)
	}
	a = w.must("POST", "/conferencecalls/"+ada+"/play", object{"url": "https://example.com/a.wav", "stream_urls": []string{"blob:b.wav"}, "repeat": true})
	if urls, _ := a.body["stream_urls"].([]any); !slices.Equal(urls, []any{"https://example.com/a.wav", "blob:b.wav"}) || a.body["conferencecall_id"] != ada {
		t.Errorf("%s", a.raw)
	}
	w.must("POST", "/conferencecalls/"+ada+"/talk", object{"text": "psst"})
	w.must("POST", "/conferences/"+id+"/play", object{"stream_urls": []string{"https://example.com/a.wav"}, "conferencecall_id": ada})
	for path, body := range map[string]object{
		"/conferences/" + id + "/talk":      {"text": ""},
		"/conferences/" + id + "/play":      {},
		"/conferencecalls/" + ada + "/play": {"url": "file:///etc/passwd"},
		"/conferencecalls/" + ada + "/talk": {"text": "x", "volume": 31},
	} {
		w.refused(400, "INVALID_ARGUMENT", "POST", path, body)
	}
	if a := w.must("POST", "/conferences/"+id+"/stop_playing", object{"conferencecall_id": ada}); a.body["stopped"] != 1.0 {
		t.Errorf("%s", a.raw)
	}
	if a := w.must("POST", "/conferences/"+id+"/stop_playing", nil); a.body["stopped"] != 3.0 {
		t.Errorf("%s", a.raw)
	}
	w.refused(400, "INVALID_ARGUMENT", "POST", "/conferences/"+id+"/stop_playing", object{"conferencecall_id": "ada"})
}

func TestMoveAndLive(t *testing.T) {
	w := newWorld(t)
	id, other := w.must("POST", "/conferences", object{}).id(), w.must("POST", "/conferences", object{}).id()
	foreign := w.must("POST", "/conferences", object{}, "Authorization", "Bearer "+otherKey).id()
	ada := w.join(id, "ada", "")
	if a := w.must("POST", "/conferencecalls/"+ada+"/move", object{"conference_id": other}); a.body["conference_id"] != other {
		t.Errorf("%s", a.raw)
	}
	w.refused(404, "CONFERENCE_NOT_FOUND", "POST", "/conferencecalls/"+ada+"/move", object{"conference_id": foreign})
	w.refused(400, "INVALID_ARGUMENT", "POST", "/conferencecalls/"+ada+"/move", object{})
	w.refused(400, "SAME_CONFERENCE", "POST", "/conferencecalls/"+ada+"/move", object{"conference_id": id})
	one := w.must("GET", "/conferencecalls/"+ada, nil)
	quality, _ := one.body["quality"].(object)
	if one.body["level"] != -23.0 || quality["mos"] != 4.2 || quality["rtt_ms"] != 40.0 || quality["sent"].(object)["loss_percent"] != 2.0 {
		t.Errorf("%s", one.raw)
	}
	if list := w.must("GET", "/conferences/"+id+"/conferencecalls", nil).list(); list[0].(object)["level"] != -23.0 {
		t.Errorf("%v", list)
	}
	if again := w.must("GET", "/conferencecalls/"+ada, nil); again.header.Get("ETag") != one.header.Get("ETag") {
		t.Error("the tag is of the audio")
	}
}
