package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"parley/internal/fault"
)

// Problem is the body of every refusal: problem details (RFC 9457) and VoIPBIN's envelope in one.
type Problem struct {
	Type     string   `json:"type"` // relative reference to the reason's page
	Title    string   `json:"title"`
	Status   int      `json:"status"`
	Detail   string   `json:"detail"`
	Instance string   `json:"instance"` // the path without its query, which may hold a key
	Message  string   `json:"message"`
	Error    Envelope `json:"error"`
}

// Envelope is VoIPBIN's half of a refusal.
type Envelope struct {
	Status    string           `json:"status"`
	Reason    string           `json:"reason"`
	Message   string           `json:"message"`
	RequestID string           `json:"request_id"`
	Details   []map[string]any `json:"details,omitempty"`
}

// exact are the reasons whose HTTP status or class is not that of their kind.
var exact = map[string]struct {
	status int
	class  string
}{
	"ALREADY_EXISTS":           {http.StatusConflict, "ALREADY_EXISTS"},
	"AGENT_ALREADY_EXISTS":     {http.StatusConflict, "ALREADY_EXISTS"},
	"EXTENSION_ALREADY_EXISTS": {http.StatusConflict, "ALREADY_EXISTS"},
	"VERSION_MISMATCH":         {http.StatusPreconditionFailed, "FAILED_PRECONDITION"},
	"IDEMPOTENCY_KEY_REUSED":   {http.StatusUnprocessableEntity, "INVALID_ARGUMENT"},
	"DISK_FULL":                {http.StatusInsufficientStorage, "RESOURCE_EXHAUSTED"},
	"REQUEST_BODY_TIMEOUT":     {http.StatusRequestTimeout, "INVALID_ARGUMENT"},
	"REQUEST_TOO_LARGE":        {http.StatusRequestEntityTooLarge, "INVALID_ARGUMENT"},
	"UNSUPPORTED_MEDIA_TYPE":   {http.StatusUnsupportedMediaType, "INVALID_ARGUMENT"},
}

// detailed is an error with facts for the body's details.
type detailed struct {
	error
	detail map[string]any
}

func (d detailed) Unwrap() error { return d.error }

// Detail adds facts to the details of a refusal.
func Detail(err error, detail map[string]any) error { return detailed{err, detail} }

// NewProblem returns the status and body for err. Of an error that is no fault only the request id is told; it is logged by whoever
// has the log.
func NewProblem(err error, path, requestID string) Problem {
	f := asFault(err)
	status, class := f.Kind.HTTP(), f.Kind.Class()
	if x, ok := exact[f.Reason]; ok {
		status, class = x.status, x.class
	}
	p := Problem{
		Type: "/errors/" + f.Reason, Title: http.StatusText(status), Status: status, Detail: f.Message, Instance: path, Message: f.Message,
		Error: Envelope{Status: class, Reason: f.Reason, Message: f.Message, RequestID: requestID},
	}
	if d := (detailed{}); errors.As(err, &d) {
		p.Error.Details = []map[string]any{d.detail}
	}
	return p
}

// asFault returns the fault in err, or the one that stands for what else can go wrong.
func asFault(err error) *fault.Error {
	f, ok := fault.Of(err)
	switch {
	case ok && f.Kind != fault.Internal:
		return f
	case errors.As(err, new(*http.MaxBytesError)):
		return fault.New(fault.Invalid, "REQUEST_TOO_LARGE", "the request body is larger than 1 MiB; send less at once")
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(fault.Unavailable, "REQUEST_TIMEOUT", "the request took too long and was given up; try again")
	case errors.Is(err, context.Canceled):
		return fault.New(fault.Unavailable, "REQUEST_CANCELED", "the request was canceled before it was done; try again")
	}
	return fault.New(fault.Internal, "INTERNAL", "an internal error occurred; report it with the request id")
}

// Refuse writes the answer for err. What is the server's own fault is kept for the log line.
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := NewProblem(err, r.URL.Path, RequestID(r))
	h := w.Header()
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="parley"`)
	}
	if p.Status == http.StatusServiceUnavailable && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "1")
	}
	if x := exchangeOf(r); x != nil {
		x.reason = p.Error.Reason
		if p.Status >= http.StatusInternalServerError {
			x.err = err
		}
	}
	body, err := json.Marshal(p)
	if err != nil { // details are maps of strings and numbers
		body = []byte(`{"status":` + strconv.Itoa(p.Status) + `}`)
	}
	Write(w, p.Status, "application/problem+json", body)
}

// Write answers with a body of the given media type.
func Write(w http.ResponseWriter, status int, media string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone is no error of ours
}

// JSON is the media type of every answer that is not a refusal.
const JSON = "application/json; charset=utf-8"
