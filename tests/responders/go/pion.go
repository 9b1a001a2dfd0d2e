// Answers for a name with pion/mdns: pion NAME.local
//
// Prints "ready" when it listens, then answers until it is killed. The package chooses the address itself.
package main

import (
	"fmt"
	"net"
	"os"

	"github.com/pion/mdns"
	"golang.org/x/net/ipv4"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	group, err := net.ResolveUDPAddr("udp4", mdns.DefaultAddress)
	check(err)
	socket, err := net.ListenUDP("udp4", group)
	check(err)
	_, err = mdns.Server(ipv4.NewPacketConn(socket), &mdns.Config{LocalNames: []string{os.Args[1]}})
	check(err)
	fmt.Println("ready")
	select {}
}
