package conference_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	. "parley/internal/conference"
	"parley/internal/conference/announcement"
	"parley/internal/conference/health"
	"parley/internal/fault"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

var epoch = time.Date(2026, 1, 15, 9, 30, 0, 0, time.UTC)

const (
	conferenceID = "c0000000-0000-4000-8000-000000000000"
	customerID   = "50000000-0000-4000-8000-000000000000"
)

// TestScripts plays testdata/*.txt. A line "> TIME COMMAND [NAME] key=value…" is a command; the lines below it are what follows:
// events, or "! REASON message". "= deadline" and "= joined" lines show state after the command where the script asks with
// "> TIME show". Names are short for participant ids. Comments begin with #.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("%s differs (run with -update and read the diff):\n%s", file, firstDifference(got, string(want)))
			}
		})
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(end)", "(end)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("line %d\n got: %s\nwant: %s", i+1, a, b)
		}
	}
	return ""
}

// play runs the commands of a script and returns the script with what really follows.
func play(t *testing.T, script string) string {
	p := player{t: t, trial: newTrial(t, Limits{
		MaxAge: 24 * time.Hour, LeavingDeadline: 5 * time.Second, FinishDeadline: time.Minute, MediaTimeout: 30 * time.Second,
		Retries: 2,
	})}
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			p.out.WriteString(line + "\n")
		case strings.HasPrefix(line, "> "):
			p.out.WriteString(line + "\n")
			p.command(strings.Fields(line[2:]))
		}
	}
	return p.out.String()
}

type player struct {
	t      *testing.T
	trial  *trial
	health health.Checks
	out    strings.Builder
}

func (p *player) command(words []string) {
	p.t.Helper()
	offset, err := time.ParseDuration(words[0])
	if err != nil {
		p.t.Fatalf("%v: %v", words, err)
	}
	at := epoch.Add(offset)
	verb, args := words[1], arguments{t: p.t, values: map[string]string{}}
	for _, word := range words[2:] {
		if key, value, ok := strings.Cut(word, "="); ok {
			args.values[key] = value
		} else {
			args.name = word
		}
	}
	switch verb {
	case "limits":
		p.limits(args)
	case "show":
		p.show()
	case "health":
		for _, c := range p.health.Round(&p.trial.state, at, args.evidence()) {
			p.decide(c)
		}
	default:
		p.decide(args.command(verb, at))
	}
	args.done(words)
}

func (p *player) decide(c Command) {
	events, err := p.trial.do(c)
	if err != nil {
		fmt.Fprintf(&p.out, "! %s %s: %v\n", fault.KindOf(err).Class(), fault.ReasonOf(err), shorten(err.Error()))
	}
	for _, e := range events {
		p.out.WriteString(describe(e) + "\n")
	}
}

func (p *player) limits(a arguments) {
	l := &p.trial.state.Limits
	if s, ok := a.take("max"); ok {
		l.MaxParticipants = a.number(s)
	}
	if s, ok := a.take("compat"); ok {
		l.TimeoutCompat = s == "true"
	}
	if s, ok := a.take("leaving"); ok {
		l.LeavingDeadline = a.duration(s)
	}
}

func (p *player) show() {
	s := &p.trial.state
	deadline := "never"
	if at := s.NextDeadline(); !at.IsZero() {
		deadline = at.Sub(epoch).String()
	}
	fmt.Fprintf(&p.out, "= %s count=%d joined=%s deadline=%s\n", s.Conference.Status, s.Conference.Count, names(s.Conference.Joined), deadline)
}

// arguments are the words of one command line.
type arguments struct {
	t      *testing.T
	name   string
	values map[string]string
}

func (a arguments) take(key string) (string, bool) {
	s, ok := a.values[key]
	delete(a.values, key)
	return s, ok
}

func (a arguments) done(words []string) {
	if len(a.values) > 0 {
		a.t.Fatalf("%v: not understood: %v", words, a.values)
	}
}

func (a arguments) number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		a.t.Fatal(err)
	}
	return n
}

func (a arguments) duration(s string) time.Duration {
	d, err := time.ParseDuration(s)
	if err != nil {
		a.t.Fatal(err)
	}
	return d
}

func (a arguments) str(key, fallback string) string {
	if s, ok := a.take(key); ok {
		return strings.ReplaceAll(s, "_", " ")
	}
	return fallback
}

func (a arguments) flag(key string) bool { s, _ := a.take(key); return s == "true" }

func (a arguments) ptr(key string) *string {
	if s, ok := a.take(key); ok {
		return &s
	}
	return nil
}

func (a arguments) flagPtr(key string) *bool {
	if s, ok := a.take(key); ok {
		v := s == "true"
		return &v
	}
	return nil
}

func (a arguments) numberPtr(key string) *int {
	if s, ok := a.take(key); ok {
		n := a.number(s)
		return &n
	}
	return nil
}

func (a arguments) command(verb string, at time.Time) Command {
	id := participantID(a.name)
	switch verb {
	case "create":
		return a.create(at)
	case "update":
		return Update{At: at, Patch: a.patch()}
	case "hash":
		return SetDirectHash{At: at, Hash: a.name}
	case "join":
		return Join{
			At: at, ID: id, CustomerID: a.str("customer", customerID), CallID: "ca11" + string(id[4:]), Name: a.str("name", ""),
			Role: Role(a.str("role", "")), Muted: a.flag("muted"), Media: Media{Kind: "sip"},
			PIN: a.str("pin", ""), Trusted: a.flag("trusted"),
		}
	case "connected":
		return Connected{At: at, ID: id}
	case "leave":
		return Leave{At: at, ID: id, Reason: LeaveReason(a.reason())}
	case "kick":
		return Kick{At: at, ID: id, Reason: LeaveReason(a.reason())}
	case "left":
		return Left{At: at, ID: id}
	case "terminate", "delete":
		return Terminate{At: at, Reason: EndReason(a.reason()), Delete: verb == "delete"}
	case "expire":
		return Expire{At: at}
	case "set":
		return a.set(at, id)
	case "speech":
		return Speech{At: at, ID: id, Speaking: a.str("on", "true") == "true"}
	case "digit":
		return Digit{At: at, ID: id, Digit: a.str("key", "")}
	case "recover":
		return Recover{At: at}
	case "talk":
		return StartAnnouncement{At: at, Announcement: a.announcement()}
	case "talked":
		return EndAnnouncement{At: at, Announcement: a.announcement(), Reason: a.reason(), Failed: a.flag("failed")}
	case "admit":
		return Admit{At: at, ID: id, All: a.name == ""}
	case "deny":
		return Deny{At: at, ID: id, All: a.name == ""}
	case "unlock":
		return Unlock{At: at}
	case "mute_all", "unmute_all":
		return MuteAll{At: at, Muted: verb == "mute_all"}
	}
	return a.recording(verb, at)
}

func (a arguments) reason() string { s, _ := a.take("reason"); return s }

func (a arguments) create(at time.Time) Command {
	s := Settings{
		Name: a.str("name", ""), Data: []byte(a.str("data", "")), PreFlowID: a.str("pre_flow_id", ""), DialIn: a.str("dial_in", ""),
		MuteNewcomers: a.flag("mute_newcomers"), EndOnModeratorLeave: a.flag("end_on_moderator_leave"), PIN: a.str("pin", ""),
		ModeratorPIN: a.str("moderator_pin", ""), EntryTone: a.str("entry_tone", ""), WaitMusic: a.str("wait_music", ""), Keypad: a.str("keypad", ""),
	}
	if v, ok := a.take("timeout"); ok {
		s.Timeout = a.duration(v)
	}
	if v, ok := a.take("max_participants"); ok {
		s.MaxParticipants = a.number(v)
	}
	admission, _ := a.take("admission")
	s.Admission = Admission(admission)
	return Create{
		At: at, ID: ID(a.str("id", conferenceID)), CustomerID: customerID, Type: Type(a.str("type", "")), Settings: s,
		DirectHash: a.str("hash", "0123456789ab"),
	}
}

func (a arguments) patch() (p Patch) {
	p.Name, p.DialIn, p.PIN, p.ModeratorPIN = a.ptr("name"), a.ptr("dial_in"), a.ptr("pin"), a.ptr("moderator_pin")
	p.EntryTone, p.WaitMusic, p.Keypad = a.ptr("entry_tone"), a.ptr("wait_music"), a.ptr("keypad")
	p.Video, p.RecordingNotice = a.ptr("video"), a.ptr("recording_notice")
	p.MuteNewcomers, p.EndOnModeratorLeave = a.flagPtr("mute_newcomers"), a.flagPtr("end_on_moderator_leave")
	p.MaxParticipants = a.numberPtr("max_participants")
	if s, ok := a.take("timeout"); ok {
		d := a.duration(s)
		p.Timeout = &d
	}
	if s, ok := a.take("admission"); ok {
		admission := Admission(s)
		p.Admission = &admission
	}
	if s, ok := a.take("data"); ok {
		data := []byte(s)
		p.Data = &data
	}
	return p
}

func (a arguments) set(at time.Time, id ParticipantID) Command {
	p := ParticipantPatch{
		Name: a.ptr("name"), Muted: a.flagPtr("muted"), Deaf: a.flagPtr("deaf"), Held: a.flagPtr("held"), Volume: a.numberPtr("volume"),
		RemoteHeld: a.flagPtr("remote_held"), CanHear: a.list("can_hear"), CanSpeak: a.list("can_speak"),
	}
	if s, ok := a.take("role"); ok {
		role := Role(s)
		p.Role = &role
	}
	if s, ok := a.take("codec"); ok {
		p.Media = &Media{Kind: "sip", Codec: s}
	}
	return Set{At: at, ID: id, Patch: p}
}

func (a arguments) announcement() announcement.Announcement {
	x := announcement.Announcement{ID: string(participantID(a.name)), Kind: announcement.Talk}
	if to, ok := a.take("to"); ok {
		x.ConferencecallID = string(participantID(to))
	}
	return x
}

// list reads names: x,y, or nobody, or everybody.
func (a arguments) list(key string) *[]string {
	s, ok := a.take(key)
	if !ok {
		return nil
	}
	list := []string{}
	switch s {
	case "everybody":
		list = nil
	case "nobody":
	default:
		for _, name := range strings.Split(s, ",") {
			list = append(list, string(participantID(name)))
		}
	}
	return &list
}

// evidence reads words like a=ended b=silent:30s c=flows d=hold e=unknown.
func (a arguments) evidence() map[ParticipantID]health.Evidence {
	out := map[ParticipantID]health.Evidence{}
	for name, what := range a.values {
		what, silence, _ := strings.Cut(what, ":")
		e := health.Evidence{}
		switch what {
		case "ended":
			e.CallEnded = true
		case "silent":
			e.Silence = a.duration(silence)
		case "hold":
			e.MediaFree, e.Silence = true, time.Hour
		case "unknown":
			e.Silence = -1
		case "flows":
		default:
			a.t.Fatalf("unknown evidence %q", what)
		}
		out[participantID(name)] = e
		delete(a.values, name)
	}
	return out
}

// participantID spells a short name as a UUID, nameOf reads it back.
func participantID(name string) ParticipantID {
	return ParticipantID(fmt.Sprintf("bb000000-0000-4000-8000-%012x", name))
}

func nameOf(id string) string {
	if id == "" {
		return ""
	}
	var b []byte
	if _, err := fmt.Sscanf(strings.TrimLeft(id[len(id)-12:], "0"), "%x", &b); err != nil {
		return id
	}
	return string(b)
}

func names(ids []string) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = nameOf(id)
	}
	return "[" + strings.Join(out, " ") + "]"
}

func shorten(s string) string {
	for _, word := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" ;,:", r) }) {
		if strings.HasPrefix(word, "bb000000-") {
			s = strings.ReplaceAll(s, word, nameOf(word))
		}
	}
	return s
}

// describe is an event on one line: what is worth reading of the new value.
func describe(e Event) string {
	if e.Conference != nil {
		return describeConference(e)
	}
	if e.Recording != nil || e.Notice != nil {
		return describeRecording(e)
	}
	if x := e.Announcement; x != nil {
		return fmt.Sprintf("%-30s %s %s", e.Type, nameOf(x.ID), x.Status) + option("to", nameOf(x.ConferencecallID)) + option("reason", x.Reason)
	}
	p := e.Participant
	line := fmt.Sprintf("%-30s %s %s", e.Type, nameOf(string(p.ID)), p.Status)
	if p.Role != Member {
		line += " " + string(p.Role)
	}
	for _, f := range []struct {
		on   bool
		word string
	}{{p.Muted, "muted"}, {p.Deaf, "deaf"}, {p.Held, "held"}, {p.RemoteHeld, "remote_held"}, {p.Speaking, "speaking"}} {
		if f.on {
			line += " " + f.word
		}
	}
	line += option("name", p.Name) + option("codec", p.Media.Codec) + option("reason", string(p.LeaveReason)) + option("digit", e.Digit)
	line += option("waiting", string(p.Waiting))
	if p.CanHear != nil {
		line += " can_hear=" + names(p.CanHear)
	}
	if p.CanSpeak != nil {
		line += " can_speak=" + names(p.CanSpeak)
	}
	if p.Volume != 0 {
		line += option("volume", strconv.Itoa(p.Volume))
	}
	return line
}

func describeConference(e Event) string {
	c := e.Conference
	line := fmt.Sprintf("%-30s %s joined=%s count=%d", e.Type, c.Status, names(c.Joined), c.Count)
	line += option("name", c.Name) + option("dial_in", c.DialIn) + option("reason", string(c.EndReason))
	line += option("recording", nameOf(c.Recordings.Active))
	if c.Type != Standard {
		line += option("type", string(c.Type))
	}
	if c.Timeout > 0 {
		line += option("timeout", c.Timeout.String())
	}
	if c.Admission != Open {
		line += option("admission", string(c.Admission))
	}
	if c.MaxParticipants > 0 {
		line += option("max", strconv.Itoa(c.MaxParticipants))
	}
	if string(c.Data) != "{}" {
		line += option("data", string(c.Data))
	}
	if c.DirectHash != "0123456789ab" {
		line += " hash=" + c.DirectHash
	}
	for _, at := range []struct {
		word string
		at   time.Time
	}{{"ended", c.Ended}, {"deleted", c.Times.Deleted}} {
		if !at.at.IsZero() {
			line += fmt.Sprintf(" %s=%v", at.word, at.at.Sub(epoch))
		}
	}
	return line
}

func option(key, value string) string {
	if value == "" {
		return ""
	}
	return " " + key + "=" + value
}
