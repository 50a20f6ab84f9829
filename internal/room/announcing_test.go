package room_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/conference"
	"parley/internal/conference/announcement"
	"parley/internal/fault"
	"parley/internal/room"
)

func talk(text string) announcement.Announcement {
	return announcement.Announcement{Kind: announcement.Talk, Voice: announcement.Voice{Text: text}}
}

func (b *bench) announce(id conference.ID, a announcement.Announcement) error {
	_, err := b.host.Announce(b.ctx, id, a, room.DoOptions{})
	return err
}

// told returns what the log says of announcements: what, to whom, why.
func (b *bench) told(id conference.ID) (list []string) {
	b.Helper()
	synctest.Wait()
	for _, e := range b.events(id) {
		if what, ok := strings.CutPrefix(e.Type, "announcement_"); ok {
			var x announcement.Resource
			if err := json.Unmarshal(e.Data, &x); err != nil {
				b.Fatal(err)
			}
			list = append(list, what+" "+x.Text+x.Reason)
		}
	}
	return list
}

func (b *bench) wantTold(id conference.ID, want ...string) {
	b.Helper()
	if got := b.told(id); !slices.Equal(got, want) {
		b.Errorf("told\n got %q\nwant %q", got, want)
	}
}

func TestAnnounce(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{})
		wantReason(t, b.announce(id, talk("hello")), "CONFERENCE_EMPTY")
		a, z := b.enter(id), b.enter(id)
		one := talk("for one")
		one.ConferencecallID = string(z.ID())
		for _, x := range []announcement.Announcement{talk("hello"), talk("again"), one} {
			if err := b.announce(id, x); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(40 * time.Millisecond)
		if alone, all := b.media.heard(string(z.ID())); !slices.Equal(alone, []int{700}) || !slices.Equal(all, []int{500}) {
			t.Errorf("hears %v alone, %v with all", alone, all)
		}
		time.Sleep(time.Second)
		if got := b.told(id); len(got) != 6 || got[0] != "started hello" && got[0] != "started for one" || got[5] != "ended againplayed" {
			t.Errorf("told %q", got)
		}
		b.wantOpen(a)
	})
}

func TestAnnouncementsThatFail(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{})
		b.enter(id)
		joining := b.join(id)
		play := announcement.Announcement{Kind: announcement.Play, URLs: []string{"https://example.com/a.wav", "https://example.com/none.wav"}}
		if err := b.announce(id, play); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		b.wantTold(id, "failed PROMPT_UNREACHABLE")
		klingon := talk("x")
		klingon.Language = "tlh"
		if err := b.announce(id, klingon); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		b.wantTold(id, "failed PROMPT_UNREACHABLE", "failed xVOICE_UNAVAILABLE")
		for reason, x := range map[string]announcement.Announcement{
			"INVALID_ARGUMENT":          {Kind: announcement.Talk},
			"CONFERENCECALL_NOT_JOINED": {Kind: announcement.Talk, Voice: announcement.Voice{Text: "x"}, ConferencecallID: string(joining.ID())},
			"CONFERENCECALL_NOT_FOUND":  {Kind: announcement.Talk, Voice: announcement.Voice{Text: "x"}, ConferencecallID: string(id)},
		} {
			wantReason(t, b.announce(id, x), reason)
		}
		_, err := b.host.Announce(b.ctx, id, talk("x"), room.DoOptions{CustomerID: string(id)})
		wantReason(t, err, "CONFERENCE_NOT_FOUND")
		b.do(id, conference.Terminate{At: time.Now()})
		wantReason(t, b.announce(id, talk("x")), "CONFERENCE_NOT_PROGRESSING")
	})
}

func TestStopAnnouncements(t *testing.T) {
	listening(t, func(b *bench) {
		id := b.create(conference.Create{})
		s := b.enter(id)
		loop := announcement.Announcement{Kind: announcement.Play, URLs: []string{"https://example.com/a.wav"}, Repeat: true}
		one := loop
		one.ConferencecallID = string(s.ID())
		for _, x := range []announcement.Announcement{loop, talk("never heard"), one} {
			if err := b.announce(id, x); err != nil {
				t.Fatal(err)
			}
		}
		b.wantHeard(s.ID(), []int{40000}, []int{40000})
		stop := func(who conference.ParticipantID, want int) {
			t.Helper()
			if n, err := b.host.StopAnnouncements(b.ctx, id, who, room.DoOptions{}); err != nil || n != want {
				t.Errorf("stopped %d, %v", n, err)
			}
		}
		stop(s.ID(), 1)
		b.wantHeard(s.ID(), nil, []int{40000})
		stop("", 2)
		b.wantHeard(s.ID(), nil, nil)
		stop("", 0)
		b.wantTold(id, "started ", "started ", "ended stopped", "ended stopped")
		if err := b.announce(id, talk("goes on")); err != nil {
			t.Fatal(err)
		}
		var err error
		for range 20 {
			if err = b.announce(id, loop); err != nil {
				break
			}
		}
		wantReason(t, err, "ANNOUNCEMENTS_EXHAUSTED")
	})
}

func TestWhatEndsUnderAnAnnouncement(t *testing.T) {
	listening(t, func(b *bench) {
		forever := announcement.Announcement{Kind: announcement.Play, URLs: []string{"https://example.com/a.wav"}, Repeat: true}
		left, ended, lost := b.create(conference.Create{}), b.create(conference.Create{}), b.create(conference.Create{})
		for _, id := range []conference.ID{left, ended, lost} {
			s := b.enter(id)
			x := forever
			x.ConferencecallID = string(s.ID())
			if err := b.announce(id, x); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			switch id {
			case left:
				b.do(id, conference.Kick{At: time.Now(), ID: s.ID()})
			case ended:
				b.do(id, conference.Terminate{At: time.Now()})
			}
		}
		time.Sleep(time.Second)
		b.stop()
		b.start()
		b.wantTold(left, "started ", "ended left")
		b.wantTold(ended, "started ", "ended conference_ended")
		b.wantTold(lost, "started ", "ended interrupted")
		if n := b.media.sounding(); n != 0 {
			t.Errorf("%d sounds play on", n)
		}
		_, err := b.host.Announce(b.ctx, left, forever, room.DoOptions{})
		if fault.ReasonOf(err) != "CONFERENCE_EMPTY" {
			t.Error(err)
		}
	})
}
