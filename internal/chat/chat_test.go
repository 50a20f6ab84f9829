package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"parley/internal/chat"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/room"
	"parley/internal/store"
	"parley/internal/store/memory"
)

const customer = "6f0a1b2c-dead-4000-8000-0123456789ab"

// hall is a conference with people in it, rooms and all.
type hall struct {
	t     *testing.T
	store store.Store
	rooms *room.Host
	chat  *chat.Chat
	id    conference.ID
}

func open(t *testing.T, l chat.Limits) *hall {
	t.Helper()
	st := memory.New()
	h := &hall{t: t, store: st, rooms: room.New(room.Options{Store: st, Log: slog.New(slog.DiscardHandler)})}
	h.chat = chat.New(chat.Options{Store: st, Rooms: h.rooms, Limits: l})
	h.id = h.create()
	ctx, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = h.rooms.Run(ctx) })
	t.Cleanup(func() { stop(); run.Wait() })
	return h
}

func (h *hall) create() conference.ID {
	h.t.Helper()
	v, err := h.rooms.Create(h.t.Context(), conference.Create{CustomerID: customer})
	if err != nil {
		h.t.Fatal(err)
	}
	return v.Conference.ID
}

// join lets somebody in; joined says how far.
func (h *hall) join(name string, joined bool) *room.Seat {
	h.t.Helper()
	seat, err := h.rooms.Join(h.t.Context(), h.id, conference.Join{CustomerID: customer, CallID: uuid.NewString(), Name: name}, nil)
	if err == nil && joined {
		err = seat.Connected(h.t.Context())
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return seat
}

func (h *hall) post(p chat.Post) (chat.Message, error) {
	if p.Conference == "" {
		p.Conference = h.id
	}
	return h.chat.Post(h.t.Context(), p)
}

func (h *hall) must(p chat.Post) chat.Message {
	h.t.Helper()
	m, err := h.post(p)
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

func (h *hall) change(m chat.Message, as conference.ParticipantID, text string) chat.Change {
	return chat.Change{Conference: m.ConferenceID, CustomerID: customer, ID: m.ID, As: as, Text: text}
}

func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	if got := fault.ReasonOf(err); err == nil || got != reason {
		t.Errorf("%v (%s), want %s", err, got, reason)
	}
}

// types returns the types of the conference's events that are about messages.
func (h *hall) log() (types []string, rows []store.Event) {
	h.t.Helper()
	all, _, err := h.store.Events(context.Background(), store.LogQuery{Conference: string(h.id), Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range all {
		if strings.HasPrefix(e.Type, "conference_message") {
			types, rows = append(types, e.Type), append(rows, e)
		}
	}
	return types, rows
}

func (h *hall) texts(as conference.ParticipantID) (texts []string) {
	h.t.Helper()
	list, _, err := h.chat.List(h.t.Context(), chat.Query{Conference: h.id, As: as, Limit: 100})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, m := range list {
		texts = append(texts, m.Text)
	}
	return texts
}

func TestLifeOfAMessage(t *testing.T) {
	h := open(t, chat.Limits{})
	anna := h.join("Anna", true)
	m := h.must(chat.Post{CustomerID: customer, From: anna.ID(), Text: "hello\r\nyou"})
	if m.Text != "hello\nyou" || m.Name != "Anna" || m.From != anna.ID() || m.CustomerID != customer {
		t.Errorf("posted %+v", m)
	}
	edited, err := h.chat.Edit(t.Context(), h.change(m, anna.ID(), "hello all"))
	if err != nil || edited.Text != "hello all" || edited.Updated.IsZero() || edited.Order != m.Order {
		t.Errorf("edited %+v, %v", edited, err)
	}
	if again, err := h.chat.Edit(t.Context(), h.change(m, "", "hello all")); err != nil || again.Updated != edited.Updated {
		t.Errorf("the same text again: %+v, %v", again, err)
	}
	for range 2 {
		if gone, err := h.chat.Delete(t.Context(), h.change(m, "", "")); err != nil || gone.Text != "" || gone.Deleted.IsZero() {
			t.Errorf("deleted %+v, %v", gone, err)
		}
	}
	_, err = h.chat.Edit(t.Context(), h.change(m, "", "back"))
	wantReason(t, err, "MESSAGE_DELETED")
	if got := h.texts(""); len(got) != 0 {
		t.Errorf("listed %q", got)
	}
	types, rows := h.log()
	if want := []string{chat.Created, chat.Updated, chat.Deleted}; !slices.Equal(types, want) {
		t.Fatalf("log has %v", types)
	}
	var r chat.Resource
	if err := json.Unmarshal(rows[1].Data, &r); err != nil || r.Text != "hello all" || !r.Edited || r.ConferenceID != string(h.id) || r.ID != m.ID {
		t.Errorf("event %+v, %v", r, err)
	}
	if rows[0].Version != m.Order || rows[0].Resource != m.ID {
		t.Errorf("event %+v of message %+v", rows[0], m)
	}
}

func TestRefusals(t *testing.T) {
	h := open(t, chat.Limits{Text: 10})
	anna, waits, left := h.join("Anna", true), h.join("", false), h.join("", true)
	if err := left.Leave(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	private := h.must(chat.Post{To: []conference.ParticipantID{waits.ID()}, Text: "psst"})
	elsewhere := h.must(chat.Post{Conference: h.create(), Text: "there"})
	nobody := conference.ParticipantID(uuid.NewString())
	for name, tt := range map[string]struct {
		post   chat.Post
		reason string
	}{
		"no text":           {chat.Post{}, "INVALID_ARGUMENT"},
		"white text":        {chat.Post{Text: " \n\t"}, "INVALID_ARGUMENT"},
		"long text":         {chat.Post{Text: strings.Repeat("ä", 11)}, "INVALID_ARGUMENT"},
		"control character": {chat.Post{Text: "a\x1b[31m"}, "INVALID_ARGUMENT"},
		"NUL":               {chat.Post{Text: "a\x00"}, "INVALID_ARGUMENT"},
		"C1":                {chat.Post{Text: "a\u0085"}, "INVALID_ARGUMENT"},
		"lone CR":           {chat.Post{Text: "a\rb"}, "INVALID_ARGUMENT"},
		"not UTF-8":         {chat.Post{Text: "\xff"}, "INVALID_ARGUMENT"},
		"writer no id":      {chat.Post{Text: "a", From: "x"}, "INVALID_ARGUMENT"},
		"reader no id":      {chat.Post{Text: "a", To: []conference.ParticipantID{"x"}}, "INVALID_ARGUMENT"},
		"reader empty":      {chat.Post{Text: "a", To: []conference.ParticipantID{""}}, "INVALID_ARGUMENT"},
		"too many readers":  {chat.Post{Text: "a", To: make([]conference.ParticipantID, 101)}, "INVALID_ARGUMENT"},
		"unknown writer":    {chat.Post{Text: "a", From: nobody}, "CONFERENCECALL_NOT_FOUND"},
		"unknown reader":    {chat.Post{Text: "a", To: []conference.ParticipantID{anna.ID(), nobody}}, "CONFERENCECALL_NOT_FOUND"},
		"writer elsewhere":  {chat.Post{Text: "a", From: anna.ID(), Conference: elsewhere.ConferenceID}, "CONFERENCECALL_NOT_FOUND"},
		"writer not in yet": {chat.Post{Text: "a", From: waits.ID()}, "STATE_INVALID"},
		"writer has left":   {chat.Post{Text: "a", From: left.ID()}, "CONFERENCECALL_LEAVED"},
		"reader has left":   {chat.Post{Text: "a", To: []conference.ParticipantID{left.ID()}}, "CONFERENCECALL_LEAVED"},
		"reply to nothing":  {chat.Post{Text: "a", ReplyTo: uuid.NewString()}, "MESSAGE_NOT_FOUND"},
		"reply elsewhere":   {chat.Post{Text: "a", ReplyTo: elsewhere.ID}, "MESSAGE_NOT_FOUND"},
		"reply to a secret": {chat.Post{Text: "a", ReplyTo: private.ID, From: anna.ID()}, "MESSAGE_NOT_FOUND"},
		"reply no id":       {chat.Post{Text: "a", ReplyTo: "x"}, "INVALID_ARGUMENT"},
		"no conference":     {chat.Post{Text: "a", Conference: conference.ID(uuid.NewString())}, "CONFERENCE_NOT_FOUND"},
		"conference no id":  {chat.Post{Text: "a", Conference: "x"}, "CONFERENCE_NOT_FOUND"},
		"other customer":    {chat.Post{Text: "a", CustomerID: uuid.NewString()}, "CONFERENCE_NOT_FOUND"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := h.post(tt.post)
			wantReason(t, err, tt.reason)
		})
	}
	if types, _ := h.log(); len(types) != 1 {
		t.Errorf("log has %v", types)
	}
}

func TestWhoReads(t *testing.T) {
	h := open(t, chat.Limits{})
	anna, ben, cora := h.join("Anna", true).ID(), h.join("Ben", true).ID(), h.join("Cora", true).ID()
	to := func(ids ...conference.ParticipantID) []conference.ParticipantID { return ids }
	public := h.must(chat.Post{From: anna, Text: "all"})
	secret := h.must(chat.Post{From: anna, To: to(ben, ben), Text: "ben"})
	h.must(chat.Post{To: to(cora), Text: "cora"})
	h.must(chat.Post{From: ben, Text: "answer", ReplyTo: secret.ID})
	if len(secret.To) != 1 {
		t.Errorf("to %v", secret.To)
	}
	for who, want := range map[conference.ParticipantID][]string{
		"": {"answer", "cora", "ben", "all"}, anna: {"answer", "ben", "all"}, ben: {"answer", "ben", "all"}, cora: {"answer", "cora", "all"},
	} {
		if got := h.texts(who); !slices.Equal(got, want) {
			t.Errorf("%s reads %q, want %q", who, got, want)
		}
	}
	for _, tt := range []struct {
		m      chat.Message
		as     conference.ParticipantID
		reason string
	}{{public, ben, "MESSAGE_NOT_YOURS"}, {secret, ben, "MESSAGE_NOT_YOURS"}, {secret, cora, "MESSAGE_NOT_FOUND"}} {
		_, err := h.chat.Edit(t.Context(), h.change(tt.m, tt.as, "mine"))
		wantReason(t, err, tt.reason)
		_, err = h.chat.Delete(t.Context(), h.change(tt.m, tt.as, ""))
		wantReason(t, err, tt.reason)
	}
	x := h.change(public, anna, "a")
	x.Check = func(chat.Message) error { return fault.New(fault.Conflict, "VERSION_MISMATCH", "no") }
	_, err := h.chat.Edit(t.Context(), x)
	wantReason(t, err, "VERSION_MISMATCH")
	x = h.change(public, "", "a")
	x.Conference = h.create()
	_, err = h.chat.Edit(t.Context(), x)
	wantReason(t, err, "MESSAGE_NOT_FOUND")
}

func TestPages(t *testing.T) {
	h := open(t, chat.Limits{PerSender: 1000, PerConference: 1000})
	anna := h.join("Anna", true).ID()
	var want []string
	for i := range 57 {
		p := chat.Post{Text: fmt.Sprint(i)}
		if i%3 == 0 {
			p.To = []conference.ParticipantID{anna}
		}
		h.must(p)
		want = append([]string{p.Text}, want...)
	}
	for who, all := range map[conference.ParticipantID][]string{"": want, anna: want} {
		for _, size := range []int{1, 7, 56, 57, 100} {
			q := chat.Query{Conference: h.id, As: who, Limit: size}
			var got []string
			for more := true; more; {
				page, next, err := h.chat.List(t.Context(), q)
				if err != nil || len(page) > size {
					t.Fatalf("%d messages, %v", len(page), err)
				}
				for _, m := range page {
					got = append(got, m.Text)
				}
				if more = next != nil; more {
					q.Before = *next
				}
			}
			if !slices.Equal(got, all) {
				t.Errorf("pages of %d: %q", size, got)
			}
		}
	}
}

func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t, chat.Limits{PerSender: 3, PerConference: 5})
		anna, ben := h.join("Anna", true).ID(), h.join("Ben", true).ID()
		var last chat.Message
		for range 3 {
			last = h.must(chat.Post{From: anna, Text: "a"})
			time.Sleep(10 * time.Second)
		}
		_, err := h.post(chat.Post{From: anna, Text: "a"})
		wantReason(t, err, "MESSAGE_RATE_EXCEEDED")
		if !strings.Contains(err.Error(), "30 s") {
			t.Errorf("refused with %v", err)
		}
		_, err = h.chat.Edit(t.Context(), h.change(last, anna, "b"))
		wantReason(t, err, "MESSAGE_RATE_EXCEEDED")
		h.must(chat.Post{From: ben, Text: "b"})
		h.must(chat.Post{From: ben, Text: "b"})
		_, err = h.post(chat.Post{From: ben, Text: "b"})
		wantReason(t, err, "MESSAGE_RATE_EXCEEDED") // all together
		time.Sleep(30*time.Second + time.Millisecond)
		h.must(chat.Post{From: anna, Text: "a"})
		_, err = h.post(chat.Post{From: anna, Text: "a"})
		wantReason(t, err, "MESSAGE_RATE_EXCEEDED")
	})
}

func TestSameIDIsWrittenOnce(t *testing.T) {
	h := open(t, chat.Limits{})
	p := chat.Post{ID: uuid.NewString(), Text: "once"}
	first := h.must(p)
	if again := h.must(p); again.Order != first.Order {
		t.Errorf("%+v, then %+v", first, again)
	}
	p.Conference = h.create()
	_, err := h.post(p)
	wantReason(t, err, "ALREADY_EXISTS")
	if types, _ := h.log(); len(types) != 1 {
		t.Errorf("log has %v", types)
	}
}

// TestLobbyReadsNothing: who has not been let in gets what is meant for it, and not what the others write.
func TestLobbyReadsNothing(t *testing.T) {
	h := open(t, chat.Limits{})
	waits := h.join("", false)
	mail, cancel := h.chat.Subscribe(h.id, waits.ID())
	defer cancel()
	h.must(chat.Post{Text: "among us"})
	h.must(chat.Post{Text: "wait a moment", To: []conference.ParticipantID{waits.ID()}})
	if err := waits.Connected(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.must(chat.Post{Text: "welcome"})
	for _, want := range []string{"wait a moment", "welcome"} {
		if m := <-mail; m.Text != want {
			t.Errorf("got %q, want %q", m.Text, want)
		}
	}
}

func TestSubscribe(t *testing.T) {
	h := open(t, chat.Limits{PerSender: 1000, PerConference: 1000})
	anna, ben := h.join("Anna", true).ID(), h.join("Ben", true).ID()
	mail, cancel := h.chat.Subscribe(h.id, ben)
	all, cancelAll := h.chat.Subscribe(h.id, "")
	defer cancelAll()
	h.must(chat.Post{From: anna, Text: "1"})
	h.must(chat.Post{From: ben, Text: "own"})
	h.must(chat.Post{To: []conference.ParticipantID{anna}, Text: "not for ben"})
	h.must(chat.Post{To: []conference.ParticipantID{ben}, Text: "2"})
	read := func(c <-chan chat.Message) (texts []string) {
		for {
			select {
			case m := <-c:
				texts = append(texts, m.Text)
			default:
				return texts
			}
		}
	}
	if got := read(mail); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("ben got %q", got)
	}
	if got := read(all); !slices.Equal(got, []string{"1", "own"}) {
		t.Errorf("everybody got %q", got)
	}
	for range 70 {
		h.must(chat.Post{From: anna, Text: "x"})
	}
	if got := h.chat.Stats(); len(read(mail)) != 64 || got.Missed != 12 || got.Readers != 2 {
		t.Errorf("%+v", got)
	}
	cancel()
	cancel()
	if got := h.chat.Stats(); got.Readers != 1 {
		t.Errorf("%+v", got)
	}
}

// TestNothingAfterTheEnd: whoever writes while a conference ends is in the log before its end, or refused.
func TestNothingAfterTheEnd(t *testing.T) {
	for range 20 {
		h := open(t, chat.Limits{PerSender: 10_000, PerConference: 10_000})
		old := h.must(chat.Post{Text: "old"})
		var writers sync.WaitGroup
		var mu sync.Mutex
		wrote := 1
		for range 4 {
			writers.Go(func() {
				for {
					_, err := h.post(chat.Post{Text: "x"})
					if err != nil {
						wantReason(t, err, "CONFERENCE_NOT_PROGRESSING")
						return
					}
					mu.Lock()
					wrote++
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Millisecond)
		if _, err := h.rooms.Do(t.Context(), h.id, conference.Terminate{At: time.Now(), Reason: conference.EndDeleted}, room.DoOptions{}); err != nil {
			t.Fatal(err)
		}
		writers.Wait()
		all, _, err := h.store.Events(t.Context(), store.LogQuery{Conference: string(h.id), Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		ended, messages := false, 0
		for _, e := range all {
			ended = ended || e.Type == conference.ConferenceDeleted
			if e.Type == chat.Created {
				if messages++; ended {
					t.Fatalf("message %d came after the end", e.Seq)
				}
			}
		}
		if !ended || messages != wrote {
			t.Fatalf("ended %v, %d messages of %d", ended, messages, wrote)
		}
		_, err = h.chat.Edit(t.Context(), h.change(old, "", "late"))
		wantReason(t, err, "CONFERENCE_NOT_PROGRESSING")
		if _, err := h.chat.Delete(t.Context(), h.change(old, "", "")); err != nil {
			t.Errorf("delete after the end: %v", err)
		}
	}
}

// TestStoreFails: what is not written is not told either.
func TestStoreFails(t *testing.T) {
	h := open(t, chat.Limits{})
	broken := &failing{Store: h.store}
	rooms := room.New(room.Options{Store: broken})
	c := chat.New(chat.Options{Store: h.store, Rooms: rooms})
	ctx, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = rooms.Run(ctx) })
	defer func() { stop(); run.Wait() }()
	mail, cancel := c.Subscribe(h.id, "")
	defer cancel()
	if _, err := c.Post(t.Context(), chat.Post{Conference: h.id, Text: "a"}); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("posted: %v", err)
	}
	if len(mail) != 0 {
		t.Error("told of a message that was not written")
	}
}

type failing struct{ store.Store }

func (failing) Append(context.Context, *store.Change) error {
	return fault.New(fault.Unavailable, "STORE_FULL", "no room")
}

func TestReadBody(t *testing.T) {
	cpim := "From: <sip:a@b>\r\nTo: <sip:c@d>\r\n\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nhi\r\n\r\nthere"
	for name, tt := range map[string]struct{ media, body, text, reason string }{
		"plain":            {"text/plain", "hi", "hi", ""},
		"charset":          {"Text/Plain;charset=UTF-8", "grüße", "grüße", ""},
		"latin":            {"text/plain; charset=ISO-8859-1", "gr\xfc\xdfe", "grüße", ""},
		"cpim":             {"message/cpim", cpim, "hi\n\nthere", ""},
		"cpim bare":        {"message/CPIM", "From: <a:b>\n\n\n\nhi", "hi", ""},
		"cpim untyped":     {"message/cpim", "From: <a:b>\n\nX: y\n\nhi", "hi", ""},
		"cpim html":        {"message/cpim", "From: <a:b>\n\nContent-Type: text/html\n\nhi", "", "UNSUPPORTED_MEDIA_TYPE"},
		"cpim cut":         {"message/cpim", "From: <a:b>", "", "INVALID_ARGUMENT"},
		"cpim broken head": {"message/cpim", "From: <a:b>\n\nno field\n\nhi", "", "INVALID_ARGUMENT"},
		"html":             {"text/html", "hi", "", "UNSUPPORTED_MEDIA_TYPE"},
		"nothing":          {"", "hi", "", "UNSUPPORTED_MEDIA_TYPE"},
		"not UTF-8":        {"text/plain", "\xff", "", "INVALID_ARGUMENT"},
		"other charset":    {"text/plain; charset=koi8-r", "hi", "", "UNSUPPORTED_MEDIA_TYPE"},
		"huge":             {"text/plain", strings.Repeat("x", 65<<10), "", "INVALID_ARGUMENT"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := chat.ReadBody(tt.media, []byte(tt.body))
			if tt.reason != "" {
				wantReason(t, err, tt.reason)
			} else if err != nil || got != tt.text {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func FuzzReadBody(f *testing.F) {
	f.Add("text/plain", []byte("hi"))
	f.Add("message/cpim", []byte("From: <a:b>\r\n\r\nContent-Type: text/plain\r\n\r\nhi"))
	f.Fuzz(func(t *testing.T, media string, body []byte) {
		text, err := chat.ReadBody(media, body)
		if err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("%v", err)
		}
		if err == nil && strings.ToValidUTF8(text, "") != text {
			t.Errorf("%q is not UTF-8", text)
		}
	})
}
