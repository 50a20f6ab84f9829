package agent

// Permission is a set of rights, as bits.
type Permission uint16

// The bits, as in the original. An access key acts as CustomerAdmin.
const (
	CustomerAgent   Permission = 16 // its own calls and its colleagues' names, below /service_agents
	CustomerAdmin   Permission = 32 // everything of the customer's
	CustomerManager Permission = 64 // everything but access keys, the customer's own record, and who may do what
)

// Grantable are the bits that an agent can be given: those of a customer. CustomerAll is all of them.
const (
	Grantable   Permission = 240
	CustomerAll            = Grantable
)

// Manages is what most routes need: one of the two.
const Manages = CustomerAdmin | CustomerManager
