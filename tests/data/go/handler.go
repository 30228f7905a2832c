// Package handler tells what is there in a cell, and panics.
package handler

import (
	crypto "crypto/rand"
	"fmt"
	"math/rand"
	"net"
	"os"
	"time"

	. "go.bytecodealliance.org/pkg/wit/types"
	. "wit_component/taskcell_handlers_types"
)

// Sampling panics.
func Sampling(CreateMessageRequest) Result[CreateMessageResult, RpcError] {
	panic("on purpose")
}

// Roots names what is there.
func Roots() Result[ListRootsResult, RpcError] {
	fmt.Println("on stdout")
	fmt.Fprintln(os.Stderr, "on stderr")
	var roots []Root
	tell := func(name string, there bool) {
		roots = append(roots, Root{Uri: fmt.Sprintf("file:///%v", there), Name: Some(name)})
	}
	begun := time.Now()
	tell("wall-clock", begun.Year() >= 2025)
	time.Sleep(20 * time.Millisecond)
	slept := time.Since(begun)
	tell("sleep", slept >= 20*time.Millisecond && slept < time.Minute)
	ticks := make(chan int)
	go func() { ticks <- 1 }()
	tell("goroutines", <-ticks == 1)
	tell("random", rand.Uint64() != rand.Uint64())
	bytes := make([]byte, 13)
	count, err := crypto.Read(bytes)
	tell("crypto", count == 13 && err == nil && string(bytes) != string(make([]byte, 13)))
	_, err = os.ReadDir("/")
	tell("file", err == nil)
	tell("environment", len(os.Environ()) > 0)
	tell("arguments", len(os.Args) > 0)
	_, err = net.Dial("tcp", "127.0.0.1:80")
	tell("socket", err == nil)
	return Ok[ListRootsResult, RpcError](ListRootsResult{Roots: roots})
}
