// Announces a host's addresses with hashicorp/mdns: hashicorp NAME.local ADDRESS...
//
// Prints "ready" when it listens, then answers until it is killed. The package announces a host only as part of a
// service; this one is on the discard port.
package main

import (
	"fmt"
	"net"
	"os"

	"github.com/hashicorp/mdns"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	name, addresses := os.Args[1], os.Args[2:]
	var ips []net.IP
	for _, address := range addresses {
		ips = append(ips, net.ParseIP(address))
	}
	service, err := mdns.NewMDNSService("discard", "_discard._tcp", "", name+".", 9, ips, nil)
	check(err)
	// Without an interface, the routing table chooses one.
	eth0, err := net.InterfaceByName("eth0")
	check(err)
	_, err = mdns.NewServer(&mdns.Config{Zone: service, Iface: eth0})
	check(err)
	fmt.Println("ready")
	select {}
}
