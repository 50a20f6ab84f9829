package room

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	"parley/internal/conference"
	"parley/internal/loop"
	"parley/internal/recording/capture"
	"parley/internal/room/wish"
)

// request is a command on its way to a room.
type request struct {
	command conference.Command // nil: seat's session enters, which is no wish that the rules know
	o       DoOptions
	seat    *Seat             // of a join, or that enters
	session *loop.Session     // that enters
	capture *capture.Capture  // of the start of a recording
	step    func(*room) error // what else is to be done in the room's goroutine
	must    bool              // goes on until it is written, whoever still waits
	passing bool              // no reason to keep an empty room live
	cause   json.RawMessage   // of its events; nil: as wish.Cause says
	reply   chan answer       // capacity one; nil when nobody waits
}

type answer struct {
	view View
	err  error
}

// errMoved says that the room has lost its key and nothing was written: the request has to go to the room that is loaded next.
var errMoved = errors.New("room has lost its key")

func newRequest(c conference.Command, o DoOptions) *request {
	return &request{command: c, o: o, reply: make(chan answer, 1)}
}

func (q *request) answer(v View, err error) {
	if q.reply != nil {
		q.reply <- answer{v, err}
	}
}

// wait returns the answer. A room answers within its write timeout, so only a request that is retried without end looks at ctx.
func (q *request) wait(ctx context.Context) (answer, error) {
	if !q.must {
		return <-q.reply, nil
	}
	select {
	case a := <-q.reply:
		return a, nil
	case <-ctx.Done():
		return answer{}, wish.Late(ctx)
	}
}

func newID() string { return uuid.NewString() }

// NewDirectHash makes the 12 hex digits of a direct address: 48 random bits, so that they cannot be guessed.
func NewDirectHash() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails, it ends the process instead
	return hex.EncodeToString(b[:])
}
