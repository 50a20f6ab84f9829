// Package chat is the routes of the messages of conferences, and what a live socket says about them. What they do is package chat's below; here is only
// how it is asked for. It starts no goroutine.
package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"time"

	"parley/internal/api/rest"
	"parley/internal/api/web"
	"parley/internal/chat"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/store"
	"parley/internal/wire"
)

// Chat are the routes on the messages of all conferences.
type Chat struct{ chat *chat.Chat }

// New returns the routes on c.
func New(c *chat.Chat) *Chat { return &Chat{c} }

// Routes returns them.
func (c *Chat) Routes() []rest.Route {
	return []rest.Route{
		{Method: "GET", Path: "/conferences/{id}/messages", Do: c.list},
		{Method: "POST", Path: "/conferences/{id}/messages", Do: c.post},
		{Method: "GET", Path: "/conferences/{id}/messages/{mid}", Do: c.get},
		{Method: "PUT", Path: "/conferences/{id}/messages/{mid}", Do: c.edit},
		{Method: "DELETE", Path: "/conferences/{id}/messages/{mid}", Do: c.remove},
	}
}

// body is what POST and PUT take.
type body struct {
	Text             *string                    `json:"text"`
	ConferencecallID conference.ParticipantID   `json:"conferencecall_id"`
	To               []conference.ParticipantID `json:"to"`
	ReplyTo          string                     `json:"reply_to"`
}

func (b *body) text() (string, error) {
	if b.Text == nil {
		return "", fault.New(fault.Invalid, "INVALID_ARGUMENT", "text: it is needed")
	}
	return *b.Text, nil
}

func (c *Chat) post(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	var in body
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	text, err := in.text()
	if err != nil {
		return rest.Reply{}, err
	}
	m, err := c.chat.Post(r.Context(), chat.Post{
		Conference: conference.ID(rec.ID), CustomerID: r.CustomerID, ID: r.NewID(), From: in.ConferencecallID, To: in.To, ReplyTo: in.ReplyTo, Text: text,
		Keep: func(m chat.Message) (*store.Answer, error) { return r.KeepWith(m.Resource()) },
	})
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(m.Resource())
}

// as reads on whose behalf something is asked: conferencecall_id in the query, "" for the customer.
func as(r *rest.Request) (conference.ParticipantID, error) {
	id, err := web.UUID(r.URL.Query(), "conferencecall_id")
	return conference.ParticipantID(id), err
}

func (c *Chat) list(r *rest.Request) (rest.Reply, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return rest.Reply{}, err
	}
	who, err := as(r)
	if err != nil {
		return rest.Reply{}, err
	}
	if who != "" {
		if p, err := r.OwnedByID(store.Conferencecall, string(who)); err != nil {
			return rest.Reply{}, err
		} else if p.Conference != rec.ID {
			return rest.Reply{}, rest.Unknown(store.Conferencecall)
		}
	}
	page, err := web.ParsePage(r.URL.Query())
	if err != nil {
		return rest.Reply{}, err
	}
	list, next, err := c.chat.List(r.Context(), chat.Query{Conference: conference.ID(rec.ID), As: who, Before: page.Before, Limit: page.Size})
	if err != nil {
		return rest.Reply{}, err
	}
	out := rest.Page{Result: []any{}}
	for i := range list {
		out.Result = append(out.Result, list[i].Resource())
	}
	if next != nil {
		out.NextPageToken = web.Token(*next)
	}
	return rest.Reply{Body: out}, nil
}

// named returns the conference and the message that the path names.
func named(r *rest.Request) (conference.ID, string, error) {
	rec, err := r.Owned(store.Conference)
	if err != nil {
		return "", "", err
	}
	id, ok := wire.ParseUUID(r.PathValue("mid"))
	if !ok {
		return "", "", fault.New(fault.Invalid, "INVALID_ID", "the id of the message is not a UUID")
	}
	return conference.ID(rec.ID), id, nil
}

func (c *Chat) get(r *rest.Request) (rest.Reply, error) {
	room, id, err := named(r)
	if err != nil {
		return rest.Reply{}, err
	}
	who, err := as(r)
	if err != nil {
		return rest.Reply{}, err
	}
	m, err := c.chat.Get(r.Context(), room, id)
	if err != nil {
		return rest.Reply{}, err
	}
	if who != "" && !m.For(who) {
		return rest.Reply{}, rest.Unknown(store.Message)
	}
	return rest.Tagged(m.Resource())
}

func (c *Chat) edit(r *rest.Request) (rest.Reply, error) {
	var in body
	if err := r.Parse(&in); err != nil {
		return rest.Reply{}, err
	}
	text, err := in.text()
	if err != nil {
		return rest.Reply{}, err
	}
	return c.change(r, in.ConferencecallID, text, c.chat.Edit)
}

func (c *Chat) remove(r *rest.Request) (rest.Reply, error) {
	return c.change(r, "", "", c.chat.Delete)
}

func (c *Chat) change(r *rest.Request, by conference.ParticipantID, text string, do func(context.Context, chat.Change) (chat.Message, error)) (rest.Reply, error) {
	room, id, err := named(r)
	if err != nil {
		return rest.Reply{}, err
	}
	who, err := as(r)
	if err != nil {
		return rest.Reply{}, err
	}
	m, err := do(r.Context(), chat.Change{
		Conference: room, CustomerID: r.CustomerID, ID: id, As: cmp.Or(by, who), Text: text,
		Check: func(m chat.Message) error { return r.Match(m.Resource()) },
	})
	if err != nil {
		return rest.Reply{}, err
	}
	return rest.Tagged(m.Resource())
}

// socketPatience bounds what one frame of a live socket may take.
const socketPatience = 10 * time.Second

// frame is a message that comes over a live socket; Ref is the client's own and comes back. ID is the message's, made by the client: sent again, it
// is the same message.
type frame struct {
	body
	ID           string        `json:"id"`
	ConferenceID conference.ID `json:"conference_id"`
	Ref          string        `json:"ref"`
}

// ack answers a frame: the message, or why there is none.
type ack struct {
	Type  string         `json:"type"` // message_ack, error
	Ref   string         `json:"ref"`
	Data  *chat.Resource `json:"data,omitempty"`
	Error *web.Envelope  `json:"error,omitempty"`
}

// Say posts the message in a frame of a live socket and returns the frame that answers it.
func (c *Chat) Say(ctx context.Context, customer string, text []byte) []byte {
	ctx, cancel := context.WithTimeout(ctx, socketPatience)
	defer cancel()
	var f frame
	m, err := c.say(ctx, customer, text, &f)
	out := ack{Type: "message_ack", Ref: f.Ref}
	if err != nil {
		p := web.NewProblem(err, "", "")
		out.Type, out.Error = "error", &p.Error
	} else {
		resource := m.Resource()
		out.Data = &resource
	}
	answer, err := json.Marshal(out)
	if err != nil { // strings and numbers
		return []byte(`{"type":"error"}`)
	}
	return answer
}

// refMost bounds what of the client's own comes back, in bytes.
const refMost = 256

func (c *Chat) say(ctx context.Context, customer string, text []byte, f *frame) (m chat.Message, err error) {
	if err := web.Parse(text, f); err != nil {
		return m, err
	}
	if len(f.Ref) > refMost {
		f.Ref = ""
		return m, fault.New(fault.Invalid, "INVALID_ARGUMENT", "ref: it has more than %d bytes", refMost)
	}
	words, err := f.text()
	if err != nil {
		return m, err
	}
	id, err := wire.OptionalUUID(f.ID)
	if err != nil {
		return m, fault.New(fault.Invalid, "INVALID_ID", "id: %v", err)
	}
	return c.chat.Post(ctx, chat.Post{
		Conference: f.ConferenceID, CustomerID: customer, ID: id, From: f.ConferencecallID, To: f.To, ReplyTo: f.ReplyTo, Text: words,
	})
}
