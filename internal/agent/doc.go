// Package agent says what an agent is: a person of a customer's who logs in, may do what its permission says, and is reached at its addresses.
// Everything here is a function of its arguments. The records are kept by package roster, which also has the status follow the calls.
package agent
