// Package wdl is the Workflow Description Language: it parses documents,
// checks them, and compiles a workflow to a graph. It knows versions draft-2,
// 1.0, 1.1 and development, and the lenient reading of HealthOmics. It knows
// nothing of runs: what happens next is the engine's.
package wdl
