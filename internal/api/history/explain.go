package history

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"parley/internal/api/rest"
	"parley/internal/store"
	"parley/internal/wire"
)

// explanation says in words why something is as it is, and which entries of the log say so.
type explanation struct {
	ID      string   `json:"id"`
	Type    string   `json:"type"` // conferencecall or call
	Status  string   `json:"status"`
	Summary string   `json:"summary"`
	Why     []change `json:"why"` // in the order of the log; the last of each subject is how it is now
}

// change is one thing that became otherwise, with what did it.
type change struct {
	About string `json:"about"` // came, joined, waiting, role, muted, deaf, held, volume, routing, answered, replaced, left, ended, refused
	Value any    `json:"value"` // what it became
	fact
	Causes []fact `json:"causes"` // what it follows from, nearest first
}

// fact is an entry of the log in words.
type fact struct {
	Text      string    `json:"text"`
	Seq       int64     `json:"seq"`
	EventID   string    `json:"event_id"`
	EventType string    `json:"event_type"`
	At        wire.Time `json:"tm_event"`

	By    string          `json:"by,omitempty"`    // who or what did it, in words
	Cause json.RawMessage `json:"cause,omitempty"` // the same as the log keeps it; neither in entries of earlier versions
}

func factOf(e *store.Event, text string) fact {
	return fact{text, e.Seq, e.ID, e.Type, wire.Time(e.At), by(e.Cause), e.Cause}
}

// seat is what is read of a participant's events.
type seat struct {
	ID           string
	Status       string
	Name         string
	Role         string
	Muted        bool
	Deaf         bool
	Held         bool
	RemoteHeld   bool `json:"remote_held"`
	Waiting      string
	CanHear      *[]string `json:"can_hear"`
	CanSpeak     *[]string `json:"can_speak"`
	Volume       int
	LeaveReason  string `json:"leave_reason"`
	ReferenceID  string `json:"reference_id"`
	ConferenceID string `json:"conference_id"`
}

// called is what is read of a call's events.
type called struct {
	Status       string
	Direction    string
	Source       struct{ Target string }
	Destination  struct{ Target string }
	HangupBy     string `json:"hangup_by"`
	HangupReason string `json:"hangup_reason"`
	HangupDetail string `json:"hangup_detail"`
	ConferenceID string `json:"conference_id"`
	SIPCallID    string `json:"sip_call_id"`
}

// participant explains a participant: why muted, deaf or held, why it left.
func (h *History) participant(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conferencecall)
	if err != nil {
		return rest.Reply{}, err
	}
	events, err := h.all(r.Context(), store.LogQuery{CustomerID: r.CustomerID, Resource: rec.ID, Types: []string{"conferencecall_*"}})
	if err != nil {
		return rest.Reply{}, err
	}
	out := explanation{ID: rec.ID, Type: "conferencecall", Status: rec.Status, Why: []change{}}
	var before seat
	for i := range events {
		var now seat
		if err := json.Unmarshal(events[i].Data, &now); err != nil {
			return rest.Reply{}, fmt.Errorf("read event %d: %w", events[i].Seq, err)
		}
		steps := differences(&before, &now)
		for n := range steps {
			steps[n].fact = factOf(&events[i], steps[n].Text)
			if steps[n].Causes, err = h.causes(r.Context(), &events[i], &now, &steps[n]); err != nil {
				return rest.Reply{}, err
			}
		}
		out.Why = append(out.Why, steps...)
		before = now
	}
	out.Summary = summary(&before, out.Why)
	return rest.Reply{Body: out}, nil
}

// differences says what an event made otherwise.
func differences(before, now *seat) (list []change) {
	add := func(about string, value any, text string) {
		list = append(list, change{About: about, Value: value, fact: fact{Text: text}})
	}
	fresh := before.ID == ""
	if fresh {
		add("came", now.Status, fmt.Sprintf("it came as %s", now.Role))
	} else if now.Role != before.Role {
		add("role", now.Role, fmt.Sprintf("its role became %s", now.Role))
	}
	if now.Status == "joined" && before.Status != "joined" {
		add("joined", now.Status, "it is in the room")
	}
	if now.Muted != before.Muted {
		add("muted", now.Muted, muteWords(fresh, before, now))
	}
	if now.Deaf != before.Deaf {
		add("deaf", now.Deaf, onOff(now.Deaf, "it was made deaf: it hears nothing", "it hears again"))
	}
	if now.Held != before.Held {
		add("held", now.Held, holdWords(before, now))
	}
	if now.Waiting != before.Waiting {
		add("waiting", now.Waiting, waitWords(now.Waiting))
	}
	if !slices.Equal(listOf(now.CanHear), listOf(before.CanHear)) || !slices.Equal(listOf(now.CanSpeak), listOf(before.CanSpeak)) {
		add("routing", len(listOf(now.CanHear))+len(listOf(now.CanSpeak)), "whom it hears and who hears it was changed")
	}
	if !fresh && now.Volume != before.Volume {
		add("volume", now.Volume, fmt.Sprintf("its volume became %d dB", now.Volume))
	}
	if now.LeaveReason != "" && before.LeaveReason == "" {
		add(onOff(now.LeaveReason == "refused", "refused", "left"), now.LeaveReason, leaveWords(now.LeaveReason))
	}
	return list
}

func muteWords(fresh bool, before, now *seat) string {
	switch {
	case fresh && now.Role == "listener":
		return "it came in muted: listeners are not heard"
	case fresh:
		return "it came in muted: the join asked for that, or newcomers of this conference are muted"
	case now.Muted && now.Role == "listener" && before.Role != "listener":
		return "it was muted because it became a listener"
	}
	return onOff(now.Muted, "it was muted", "it was unmuted")
}

func holdWords(before, now *seat) string {
	switch {
	case now.Held && now.RemoteHeld:
		return "its own side put it on hold"
	case !now.Held && before.RemoteHeld:
		return "its own side took it off hold"
	}
	return onOff(now.Held, "it was put on hold", "it was taken off hold")
}

func waitWords(waiting string) string {
	switch waiting {
	case "":
		return "it waits no longer"
	case "moderator":
		return "it waits for a moderator"
	}
	return "it waits to be let in"
}

func listOf(list *[]string) []string {
	if list == nil {
		return nil
	}
	return *list
}

func onOff(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

// leaveWords says a leave reason as a sentence.
func leaveWords(reason string) string {
	words := map[string]string{
		"hangup": "its phone hung up", "kicked": "it was asked out of the room", "terminated": "the conference was deleted or terminated",
		"timeout": "the conference reached its timeout", "peer_left": "the other one of the two left", "media_timeout": "no media came from it for too long",
		"call_ended": "its call had ended", "max_duration": "it was in the room for the longest time allowed", "refused": "the join did not come about",
		"lost": "the server stopped or crashed under it", "moderator_left": "the last moderator left and the conference ends with them",
		"denied": "a moderator did not let it in", "moved": "it goes on in another conference", "transferred": "it was transferred: somebody takes its place, or it goes on elsewhere",
	}
	if text, ok := words[reason]; ok {
		return text
	}
	return "it left: " + reason
}

// causes finds what a change of a participant follows from.
func (h *History) causes(ctx context.Context, e *store.Event, now *seat, c *change) ([]fact, error) {
	if c.About == "muted" || c.About == "deaf" || c.About == "held" {
		return h.together(ctx, e, c.About)
	}
	if c.About != "left" && c.About != "refused" {
		return []fact{}, nil
	}
	switch now.LeaveReason {
	case "terminated", "timeout", "peer_left", "moderator_left":
		return h.conferenceEnd(ctx, e, now)
	case "moved", "transferred":
		return h.movedTo(ctx, e, now)
	case "hangup", "call_ended", "media_timeout", "max_duration", "refused", "lost":
		return h.callEnd(ctx, e, now.ReferenceID)
	}
	return []fact{}, nil
}

// together says who else was changed in the same step: one wish for all.
func (h *History) together(ctx context.Context, e *store.Event, about string) ([]fact, error) {
	rows, err := h.around(ctx, e, e.Type)
	if err != nil {
		return nil, err
	}
	out := []fact{}
	for i := range rows {
		if rows[i].At.Equal(e.At) && rows[i].Seq != e.Seq && len(out) < 10 {
			out = append(out, factOf(&rows[i], "in the same step somebody else was changed: "+about+" was meant for all"))
		}
	}
	return out, nil
}

// conferenceEnd finds the end of a conference that a leave follows from, and who left for that.
func (h *History) conferenceEnd(ctx context.Context, e *store.Event, now *seat) ([]fact, error) {
	rows, err := h.around(ctx, e, "conference_updated", "conferencecall_leaving")
	if err != nil {
		return nil, err
	}
	out := []fact{}
	for i := len(rows) - 1; i >= 0; i-- {
		x := &rows[i]
		var was struct {
			seat
			EndReason string `json:"end_reason"`
		}
		if json.Unmarshal(x.Data, &was) != nil || x.Seq >= e.Seq {
			continue
		}
		switch {
		case x.Type == "conference_updated" && was.EndReason != "" && len(out) == 0:
			out = append(out, factOf(x, "the conference began to end: "+was.EndReason))
		case x.Type == "conferencecall_leaving" && len(out) == 1 && was.ID != now.ID && strings.HasSuffix(now.LeaveReason, "_left"):
			return append(out, factOf(x, fmt.Sprintf("%s left: %s", nameOf(&was.seat), leaveWords(was.LeaveReason)))), nil
		}
	}
	return out, nil
}

func nameOf(s *seat) string {
	if s.Name != "" {
		return fmt.Sprintf("%s (%s)", s.Name, s.ID)
	}
	return s.ID
}

// near is how many entries of a conference are looked at around one.
const near = 500

// around returns entries of the conference around one.
func (h *History) around(ctx context.Context, e *store.Event, types ...string) ([]store.Event, error) {
	q := store.LogQuery{CustomerID: e.CustomerID, Conference: e.Conference, Types: types, After: max(0, e.Seq-near), Limit: near}
	rows, _, err := h.store.Events(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	slices.SortFunc(rows, func(a, b store.Event) int { return int(a.Seq - b.Seq) })
	return rows, nil
}

// callEnd finds how a participant's call ended.
func (h *History) callEnd(ctx context.Context, e *store.Event, call string) ([]fact, error) {
	out := []fact{}
	if call == "" || call == wire.NilUUID {
		return out, nil
	}
	rows, err := h.all(ctx, store.LogQuery{CustomerID: e.CustomerID, Resource: call, Types: []string{"call_terminating", "call_canceling", "call_hangup"}})
	if err != nil {
		return nil, err
	}
	for i := range rows {
		var c called
		if err := json.Unmarshal(rows[i].Data, &c); err != nil {
			return nil, fmt.Errorf("read event %d: %w", rows[i].Seq, err)
		}
		out = append(out, factOf(&rows[i], c.words(rows[i].Type)))
	}
	return out, nil
}

// movedTo finds where a participant goes on.
func (h *History) movedTo(ctx context.Context, e *store.Event, now *seat) ([]fact, error) {
	out := []fact{}
	recs, err := h.store.List(ctx, store.Query{Kind: store.Conferencecall, CustomerID: e.CustomerID, Reference: now.ReferenceID, Deleted: true, Limit: 10})
	if err != nil {
		return nil, fmt.Errorf("list what belongs to a call: %w", err)
	}
	for _, rec := range recs {
		if rec.ID == now.ID {
			continue
		}
		rows, _, err := h.store.Events(ctx, store.LogQuery{CustomerID: e.CustomerID, Resource: rec.ID, Types: []string{"conferencecall_joining"}, Limit: 1})
		if err != nil {
			return nil, fmt.Errorf("read log: %w", err)
		}
		for i := range rows {
			out = append(out, factOf(&rows[i], fmt.Sprintf("it is %s in the conference %s", rec.ID, rec.Conference)))
		}
	}
	return out, nil
}

// all reads everything that a query finds, of long stories the newest part.
func (h *History) all(ctx context.Context, q store.LogQuery) (list []store.Event, err error) {
	for q.Limit = 1000; ; {
		rows, next, err := h.store.Events(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("read log: %w", err)
		}
		list = append(list, rows...)
		list = list[max(0, len(list)-storyMax):]
		if q.After = next; len(rows) < q.Limit {
			return list, nil
		}
	}
}

// summary says how it is now in one sentence.
func summary(now *seat, why []change) string {
	last := map[string]change{}
	for _, c := range why {
		last[c.About] = c
	}
	for _, about := range []string{"left", "refused"} {
		if c, ok := last[about]; ok {
			text := c.Text
			if len(c.Causes) > 0 {
				text += "; " + c.Causes[0].Text
			}
			return text + with(" (by ", c.By, ")")
		}
	}
	said := []string{onOff(now.Status == "joined", "it is in the room", "it is "+now.Status)}
	for _, about := range []string{"waiting", "muted", "deaf", "held"} {
		if c, ok := last[about]; ok && c.Value != false && c.Value != "" {
			said = append(said, c.Text)
		}
	}
	return strings.Join(said, "; ")
}
