package e2e

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

// lane is a participant's voice in a recording.
type lane struct {
	id      string
	rate    int
	samples []int16
	marks   map[string]time.Duration // where in the file its events stand
}

func (l *lane) part(from, to time.Duration) []int16 { return during(l.rate, l.samples, from, to) }

// TestRecordedMeeting records three people who talk, encrypted and announced: a pause in the middle, one comes late, one is muted, stop. What was said is
// found in the mix and in the lane of whoever said it, and nowhere else.
func TestRecordedMeeting(t *testing.T) {
	needs(t, "baresip", "sox")
	speech := madeSpeech(t)
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(t.TempDir(), "parley.yaml")
	if err := os.WriteFile(settings, []byte("recording:\n  key_file: "+file+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "--config", settings)
	room := s.conference(object{"recording_notice": "announce"})
	conference := "/conferences/" + room
	var phones []*phone
	var words [][]float64
	var ids []string
	enter := func() {
		i := len(phones)
		codec := []string{"PCMA", "G722", "opus"}[i]
		rate := codecs[codec].rate
		said := speech(i, rate)
		words = append(words, narrow(rate, said))
		p := newPhone(t, codec, repeated(said, rate, time.Duration(300+200*i)*time.Millisecond, 90*time.Second), account{})
		p.enter("sip:conference:" + room + "@" + s.sip)
		phones, ids = append(phones, p), append(ids, s.wait(room, "conferencecall_joined", i+1).id())
	}
	enter()
	enter()
	recording := "/recordings/" + s.must("POST", conference+"/recording_start", nil)["recording_id"].(string)
	s.wait(room, "recording_consented", 2)
	passes(t, 8*time.Second)
	s.must("POST", conference+"/recording_pause", object{"behavior": "skip"})
	passes(t, 3*time.Second)
	s.must("POST", conference+"/recording_resume", nil)
	enter()
	s.wait(room, "recording_consented", 3)
	passes(t, 8*time.Second)
	s.must("POST", "/conferencecalls/"+ids[1]+"/mute", nil)
	passes(t, 8*time.Second)
	s.must("POST", conference+"/recording_stop", nil)
	told := s.wait(room, "recording_finished", 1).Data

	manifest := s.must("GET", recording+"/manifest", nil)
	skipped := manifest["pauses"].([]any)[0].(object)["length"].(float64) / 48
	if length := manifest["length"].(float64) / 48; math.Abs(length-skipped-told["duration_ms"].(float64)) > 20 || skipped < 2900 || skipped > 3500 {
		t.Errorf("%.0f ms with a pause of %.0f ms became %v", length, skipped, told["duration_ms"])
	}
	end := time.Duration(told["duration_ms"].(float64)) * time.Millisecond
	var lanes []*lane
	for _, id := range ids {
		l := &lane{id: id, marks: map[string]time.Duration{}}
		l.rate, l.samples = parseWAV(s.download(recording + "/file?rendition=participant&conferencecall_id=" + id))
		for _, e := range manifest["events"].([]any) {
			if e := e.(object); e["tag"] == id {
				l.marks[e["type"].(string)] = time.Duration(e["position_ms"].(float64)) * time.Millisecond
			}
		}
		lanes = append(lanes, l)
	}
	wantWords(t, lanes, words)
	muted := lanes[1].part(lanes[1].marks["mute"]+100*time.Millisecond, end)
	if peakOf(muted) > 0 || len(muted) < 7*lanes[1].rate {
		t.Errorf("who is muted has %d samples up to %d", len(muted), peakOf(muted))
	}
	s.wantMix(t, recording, lanes, words)
	s.wantNotices(t, room, phones, lanes)
	wantSealed(t, s.data)
	packed := s.download("/recordingfiles/" + told["id"].(string))
	if z, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed))); err != nil || len(z.File) != 2 {
		t.Errorf("archive: %v", err)
	}
}

// wantWords checks that each lane has its own words and nobody else's.
func wantWords(t *testing.T, lanes []*lane, words [][]float64) {
	t.Helper()
	for i, l := range lanes {
		heard := narrow(l.rate, l.samples)
		for j, said := range words {
			found := likeness(heard, said)
			t.Logf("lane %d has the words of %d: likeness %.1f", i, j, found)
			if i == j && found < 40 || i != j && found > 14 {
				t.Errorf("lane %d, words of %d: likeness %.1f", i, j, found)
			}
		}
	}
}

// wantMix checks that the mix is the sum of the lanes, and has the words of all.
func (s *server) wantMix(t *testing.T, recording string, lanes []*lane, words [][]float64) {
	t.Helper()
	rate, mix := parseWAV(s.download(recording + "/file"))
	for j, said := range words {
		if found := likeness(narrow(rate, mix), said); found < 14 {
			t.Errorf("mix, words of %d: likeness %.1f", j, found)
		}
	}
	var both, lone, sum float64
	for i, m := range mix {
		want := 0.0
		for _, l := range lanes {
			if l.rate != rate || len(l.samples) != len(mix) {
				t.Fatalf("a lane has %d samples at %d Hz, the mix %d at %d", len(l.samples), l.rate, len(mix), rate)
			}
			want += float64(l.samples[i])
		}
		both += want * float64(m)
		lone += want * want
		sum += float64(m) * float64(m)
	}
	if r := both / math.Sqrt(lone*sum); r < 0.98 { // the limiter takes a little where all talk
		t.Errorf("the mix and the sum of the lanes correlate by %.3f", r)
	}
}

// wantNotices checks that each phone has heard the announcement before anything of it is stored, and that the log says so.
func (s *server) wantNotices(t *testing.T, room string, phones []*phone, lanes []*lane) {
	t.Helper()
	for i, l := range lanes {
		var log []string
		for _, e := range s.events(room) {
			if e.Data["conferencecall_id"] == l.id && e.Data["notice"] == "announce" {
				log = append(log, e.Type)
			}
		}
		if !slices.Equal(log, []string{"announcement_started", "announcement_ended", "recording_consented"}) {
			t.Errorf("log of phone %d: %q", i, log)
		}
		if before := l.part(0, l.marks["consent"]-20*time.Millisecond); peakOf(before) > 0 {
			t.Errorf("phone %d is stored before it was told", i)
		}
		rate, heard := phones[i].heard()
		tones, window := 0, rate/8
		for at := 0; at+window <= len(heard); at += window {
			if power(rate, heard[at:at+window], 1400) > -24 {
				tones++
			}
		}
		if tones < 2 {
			t.Errorf("phone %d has heard %d pieces of the announcement", i, tones)
		}
	}
	if first, late := lanes[0].marks["consent"], lanes[2].marks["consent"]; late < first+7*time.Second {
		t.Errorf("who came late consented at %v, the first at %v", late, first)
	}
}

func peakOf(samples []int16) (most int) {
	for _, v := range samples {
		most = max(most, int(v), -int(v))
	}
	return most
}

// wantSealed checks that nothing below the folder is a sound or tells names of lanes without the key.
func wantSealed(t *testing.T, folder string) {
	t.Helper()
	files := 0
	for _, sub := range []string{"recordings", "files"} {
		err := filepath.WalkDir(filepath.Join(folder, sub), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			for _, mark := range []string{"RIFF", "OggS", `"join"`} {
				if bytes.Contains(b, []byte(mark)) {
					err = fmt.Errorf("%s stands open in %s", mark, strings.TrimPrefix(path, folder))
				}
			}
			if info, e := d.Info(); e != nil || info.Mode().Perm() != 0o600 {
				err = fmt.Errorf("%s: %v, %v", path, info.Mode(), e)
			}
			files++
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	if files < 4 {
		t.Errorf("%d files", files)
	}
}
