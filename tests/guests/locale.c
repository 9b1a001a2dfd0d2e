/* Lookups in the Turkish locale, in which I is not the uppercase of i. */
#include "guest.h"
#include <ctype.h>
#include <locale.h>
#include <strings.h>
#include <wctype.h>

int main(void)
{
    if (!setlocale(LC_ALL, "tr_TR.UTF-8") || towlower(L'I') == L'i')
        fail("no Turkish locale");
    must_find("PRINTING.LOCAL", AF_UNSPEC);
    must_find("printing.local", AF_UNSPEC);
    must_find("printing.LoCaL", AF_INET);
    if (ask("IIII.LOCAL") != 2 || ask("iiii.local") != 2)
        fail("not found");
    printf("found in Turkish\n");
}
