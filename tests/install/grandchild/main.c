int parent_try(const char *name);

int main(int count, char **arguments) {
    return count == 2 ? parent_try(arguments[1]) != 0 : 1;
}
