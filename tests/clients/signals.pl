# Lookups with a time limit, as Perl programs write it: `alarm`, and a handler that dies. With POSIX::sigaction, Perl
# runs the handler at once, so that it jumps out of the lookup. With %SIG, it runs the handler after the lookup.
use strict;
use warnings;
use POSIX ();
use Socket qw(getaddrinfo);
use Time::HiRes qw(alarm time);

sub descriptors { opendir(my $folder, '/proc/self/fd') or die; return scalar grep { !/^\./ } readdir $folder }

sub resident { open(my $file, '<', '/proc/self/statm') or die; return 4 * (split ' ', <$file>)[1] }

# Looks up a name for at most $limit seconds. Returns what ended the lookup, and after how many seconds.
sub look_up {
    my ($name, $limit) = @_;
    my $start = time;
    my $ended = eval {
        alarm $limit;
        my ($error) = getaddrinfo($name, '');
        alarm 0;
        $error ? 'missing' : 'found';
    };
    alarm 0;
    return ($ended // $@, time - $start);
}

sub expect {
    my ($name, $limit, $wanted, $least, $most) = @_;
    my ($ended, $took) = look_up($name, $limit);
    die "$name: $ended after $took s\n" unless $ended eq $wanted && $took >= $least && $took <= $most;
}

my ($error) = getaddrinfo('host.local', '');
die "host.local: $error\n" if $error;
my ($before, $memory) = (descriptors());

# The handler runs as soon as the signal arrives.
my $action = POSIX::SigAction->new(sub { die "timeout" . "\n" }, POSIX::SigSet->new, 0);
POSIX::sigaction(POSIX::SIGALRM(), $action) or die;
for my $round (1 .. 220) {
    expect("nobody-$round.local", 0.02, "timeout\n", 0.015, 0.5);
    $memory = resident() if $round == 20;
}
die 'grown to ' . resident() . " from $memory KiB\n" if resident() > $memory + 1024;
expect('slow300-unsafe.local', 1.5, 'found', 0.2, 1.4);
die descriptors() . " descriptors instead of $before\n" if descriptors() != $before;

# The handler runs between two operations of the program, after the lookup. glibc sees only that of Perl, which notes
# the signal and returns.
POSIX::sigaction(POSIX::SIGALRM(), POSIX::SigAction->new('DEFAULT'));
$SIG{ALRM} = sub { die "timeout\n" };
expect('nobody-safe.local', 0.2, "timeout\n", 0.2, 2.8);
expect('slow300-safe.local', 0.1, "timeout\n", 0.2, 1.4);
expect('slow300-next.local', 1.5, 'found', 0.2, 1.4);
die descriptors() . " descriptors instead of $before\n" if descriptors() != $before;
print "done\n";
