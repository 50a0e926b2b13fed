/* arguments.c - see arguments.h. */
#include "arguments.h"

static int
place_of(const char *const *names, PyObject *keyword)
{
    for (int i = 0; names[i] != NULL; i++)
        if (PyUnicode_CompareWithASCIIString(keyword, names[i]) == 0)
            return i;
    return -1;
}

int
arguments_sort(const char *call, const char *const *names, int required, PyObject *const *arguments, Py_ssize_t count,
               PyObject *keywords, PyObject **ret_values)
{
    Py_ssize_t keyword_count = keywords != NULL ? PyTuple_GET_SIZE(keywords) : 0;
    Py_ssize_t known = 0;

    while (names[known] != NULL)
        known++;
    if (count > known) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zd arguments, %zd were given", call, known, count);
        return -1;
    }
    for (Py_ssize_t i = 0; i < known; i++)
        ret_values[i] = i < count ? arguments[i] : NULL;
    for (Py_ssize_t i = 0; i < keyword_count; i++) {
        PyObject *keyword = PyTuple_GET_ITEM(keywords, i);
        int       place = place_of(names, keyword);

        if (place < 0 || ret_values[place] != NULL) {
            PyErr_Format(PyExc_TypeError, place < 0 ? "%s() has no argument named %R" : "%s() got %R twice", call,
                         keyword);
            return -1;
        }
        ret_values[place] = arguments[count + i];
    }
    for (int i = 0; i < required; i++)
        if (ret_values[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() misses its argument '%s'", call, names[i]);
            return -1;
        }
    return 0;
}
