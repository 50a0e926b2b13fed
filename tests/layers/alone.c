/* alone.c - a program of nothing but one layer and what lies below it.
 *
 * The layer is linked whole, every object of it wanted or not, with only the
 * layers below. A call upward is then an undefined symbol and the build stops. */
int
main(void)
{
    return 0;
}
